#include <fmt/format.h>

#include "base/text.h"
#include "view/answer_text.h"
#include "view/stack_text.h"
#include "view/totals_text.h"
#include "view/value_views.h"

namespace culprit {

namespace {

constexpr size_t indent = 4;

std::string headline(const ValueHistory& history, const TextStyle& style) {
  std::string words =
      fmt::format("culprit: handle {} was opened {}", inked(style, Ink::strong, fmt::to_string(history.value)),
                  counted(history.lives_in_all, "time"));
  if (history.vain_closes_in_all != 0)
    words += fmt::format(" and {} closed {} while it was not open", inked(style, Ink::bad, "was"),
                         counted(history.vain_closes_in_all, "time"));
  words += fmt::format(", {}", window_words(history.basis));
  return wrapped(words + filter_words(history.basis.filter), style.columns, 0, 9) + "\n";
}

std::string by_whom(const ProcessCount& process, uint32_t tid) {
  if (process.pid == 0) return "";
  std::string words = " by " + process_words(process.name, process.pid);
  return tid != 0 && tid != process.pid ? fmt::format("{}, thread {}", words, tid) : words;
}

std::string call_words(const std::string& call) { return call.empty() ? "" : fmt::format(" ({})", shown(call, 40)); }

std::string made_words(const ReportHandle& handle) {
  // "socket tcp" says that it is a socket.
  std::string what = handle.name.starts_with(handle.type) ? "" : shown(handle.type, 24);
  if (!handle.name.empty()) what += (what.empty() ? "" : " ") + shown(handle.name, 60);
  if (what.empty()) what = handle.type.empty() ? "a handle" : shown(handle.type, 24);
  std::string how;
  switch (handle.how_created) {
    case HowCreated::open:
      how = "opened" + call_words(handle.created_call) + by_whom(handle.creating, handle.created_tid);
      break;
    case HowCreated::duplicate:
      how = "duplicated" + call_words(handle.created_call) + by_whom(handle.creating, handle.created_tid);
      break;
    case HowCreated::receive:
      how = "received" + call_words(handle.created_call) + by_whom(handle.creating, handle.created_tid);
      break;
    case HowCreated::inherit:
      how = "inherited by " + process_words(handle.owning.name, handle.owning.pid);
      break;
    case HowCreated::existing:
      how = "there before, in " + process_words(handle.owning.name, handle.owning.pid);
      break;
    case HowCreated::unknown_origin:
      how = "of unknown origin, seen in " + process_words(handle.owning.name, handle.owning.pid);
      break;
  }
  return fmt::format("{}: {}, {}", duration_in_words(handle.created), what, how);
}

std::string gone_words(const ReportHandle& handle) {
  const std::string when = duration_in_words(handle.closed);
  const std::string lived = fmt::format("after {}", duration_in_words(handle.closed - handle.created));
  switch (handle.how_closed) {
    case HowClosed::still_open:
      return fmt::format("still open at {}, {} old", when, duration_in_words(handle.closed - handle.created));
    case HowClosed::close:
      return fmt::format("{}: closed{}{}, {}", when, call_words(handle.closed_call),
                         by_whom(handle.closing, handle.closed_tid), lived);
    case HowClosed::replaced:
      return fmt::format("{}: replaced{}{}, {}", when, call_words(handle.closed_call),
                         by_whom(handle.closing, handle.closed_tid), lived);
    case HowClosed::exec:
      return fmt::format("{}: closed by exec, {}", when, lived);
    case HowClosed::exit:
      return fmt::format("{}: closed only by the end of the process, {}", when, lived);
    case HowClosed::vanished:
      return fmt::format("gone by {}, nobody saw how", when);
  }
  return "";
}

std::string stack_lines(const ReportStack& stack, const ValueTextOptions& options) {
  if (stack.frames.empty()) return "";
  return stack_text(stack, {options.style, indent, options.details, false});
}

std::string life_text(const ValueLife& life, const ValueTextOptions& options) {
  std::string text = line_text(options.style, made_words(life.handle)) + stack_lines(life.creating_stack, options);
  const bool left = left_open(life.handle.how_closed);
  return text +
         line_text(options.style, inked(options.style, left ? Ink::warning : Ink::plain, gone_words(life.handle))) +
         stack_lines(life.closing_stack, options);
}

std::string vain_text(const VainClose& close, const ValueTextOptions& options) {
  std::string words = fmt::format("{}: {}{}, which was not open", duration_in_words(close.time),
                                  inked(options.style, Ink::bad, "closed"), by_whom(close.process, close.tid));
  return line_text(options.style, words) + stack_lines(close.stack, options);
}

}  // namespace

std::string value_as_text(const ValueHistory& history, const ValueTextOptions& options) {
  std::string text = headline(history, options.style);
  if (history.lives_in_all > history.lives.size())
    text += fmt::format("\n  … {} before these\n",
                        counted(history.lives_in_all - history.lives.size(), "earlier life", "earlier lives"));
  size_t vain = 0;
  for (const ValueLife& life : history.lives) {
    for (; vain < history.vain_closes.size() && history.vain_closes[vain].time < life.handle.created; ++vain)
      text += "\n" + vain_text(history.vain_closes[vain], options);
    text += "\n" + life_text(life, options);
  }
  for (; vain < history.vain_closes.size(); ++vain) text += "\n" + vain_text(history.vain_closes[vain], options);
  return text + "\n" + losses_text(history.basis.losses, options.style);
}

}  // namespace culprit
