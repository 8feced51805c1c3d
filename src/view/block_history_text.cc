#include <fmt/format.h>

#include "base/text.h"
#include "view/answer_text.h"
#include "view/block_history_views.h"
#include "view/stack_text.h"
#include "view/totals_text.h"

namespace culprit {

namespace {

constexpr size_t indent = 4;

std::string headline(const BlockHistory& history, const TextStyle& style) {
  const std::string address = inked(style, Ink::strong, fmt::format("{:#x}", history.address));
  if (history.lives.empty()) return fmt::format("culprit: no block was seen to lie at {}", address);
  const BlockLife& last = history.lives.back();
  std::string words = fmt::format("culprit: {} lies in {}", address, counted(history.lives_in_all, "block"));
  if (history.lives_in_all > 1) words += " over time; the last one";
  words += fmt::format(", of {} bytes from {:#x} on, ", with_thousands(last.size), last.address);
  words += last.end == BlockEnd::released ? "released" : last.unreachable ? "leaked" : "not released";
  return words + fmt::format(", is from {}", blamed_phrase(last.stack, 72));
}

std::string made_words(const BlockHistory& history, const BlockLife& life) {
  std::string words =
      fmt::format("{}: {} bytes at {:#x}", duration_in_words(life.made), with_thousands(life.size), life.address);
  if (life.address != history.address) words += fmt::format(" (+{:#x})", history.address - life.address);
  return words + fmt::format(", allocated by {} in {}, thread {}", life.function,
                             process_words(life.process.name, life.process.pid), life.tid);
}

std::string end_words(const BlockLife& life) {
  const std::string when = duration_in_words(life.ended), lived = duration_in_words(life.ended - life.made);
  switch (life.end) {
    case BlockEnd::alive:
      return fmt::format("still there at {}, {} old{}", when, lived,
                         life.unreachable ? "; nothing pointed to it any more" : "");
    case BlockEnd::released:
      return fmt::format("{}: released by {} in thread {}, after {}", when, life.released_by, life.released_tid, lived);
    case BlockEnd::exec:
      return fmt::format("{}: gone with the program, as another one took its place, after {}", when, lived);
    case BlockEnd::unseen:
      return fmt::format("gone by {}, nobody saw how", when);
  }
  return "";
}

}  // namespace

std::string as_text(const BlockHistory& history, const BlockHistoryTextOptions& options) {
  const TextStyle& style = options.style;
  std::string text = wrapped(headline(history, style), style.columns, 0, 9) + "\n";
  if (history.lives_in_all > history.lives.size())
    text += fmt::format("\n  … {} before these (--top N, --all)\n",
                        counted(history.lives_in_all - history.lives.size(), "earlier block"));
  for (const BlockLife& life : history.lives) {
    text += "\n" + line_text(style, made_words(history, life));
    text += stack_text(life.stack, {style, indent, options.details, options.source});
    text += line_text(style, inked(style, life.end == BlockEnd::alive ? Ink::warning : Ink::plain, end_words(life)));
  }
  return text + "\n" + losses_text(history.losses, style);
}

}  // namespace culprit
