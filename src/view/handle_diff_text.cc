#include <fmt/format.h>

#include "base/text.h"
#include "view/answer_text.h"
#include "view/diff_views.h"
#include "view/totals_text.h"

namespace culprit {

namespace {

std::string headline(const HandleDiff& diff, const MomentNames& names, const TextStyle& style) {
  const uint64_t left = diff.still_open + diff.at_exit;
  std::string words =
      fmt::format("culprit: {} opened since {} and not closed",
                  inked(style, left == 0 ? Ink::good : Ink::strong, counted(left, "handle")), shown(names.from, 40));
  if (!names.to.empty()) words += fmt::format(" up to {}", shown(names.to, 40));
  if (diff.at_exit != 0)
    words += diff.still_open == 0 ? std::string(", all hidden by exit")
                                  : fmt::format(", {} of them hidden by exit", with_thousands(diff.at_exit));
  return wrapped(words + filter_words(diff.basis.filter), style.columns, 0, 9) + "\n";
}

std::string example_words(const HandleExample& example, std::string_view type) {
  std::string words = fmt::format("for example {}", example.value);
  if (!example.name.empty() && example.name != type) words += fmt::format(" {}", shown(example.name, 48));
  return fmt::format("{} in {}", words, process_words(example.process, example.pid));
}

// "    300 × eventfd     fun4 (leaky.cpp:28) ← fun2 ← main", and what else there is to say about the group.
std::string group_text(uint64_t count, const std::string& type, std::string_view what, const ReportStack& stack,
                       std::string_view details, const TextStyle& style) {
  std::string text = fmt::format("  {:>9} {} {} {}", with_thousands(count), style.unicode ? "×" : "x",
                                 padded(shown(type, 12), 12), what);
  if (what.empty() || !stack.frames.empty()) {
    if (!what.empty()) text += " ";
    text += stack_paragraph(stack, style, display_width(text), 2);
  }
  text += "\n";
  return text + inked(style, Ink::faint, std::string(14, ' ') + wrapped(details, style.columns, 14, 14)) + "\n";
}

std::string hidden_text(uint64_t hidden, const TextStyle& style) {
  if (hidden == 0) return "";
  return fmt::format("  {:>9} {} (--top N)\n", style.unicode ? "…" : "...", counted(hidden, "more group"));
}

std::string opened_text(const HandleDiff& diff, const TextStyle& style) {
  if (diff.opened.empty()) return "";
  std::string text = "\n";
  for (const OpenedGroup& group : diff.opened) {
    std::string words =
        fmt::format("{}, made at {}", example_words(group.example, group.type), duration_in_words(group.first_created));
    if (group.count > 1) words += fmt::format("; the last one at {}", duration_in_words(group.last_created));
    if (group.at_exit != 0 && diff.still_open != 0)
      words += group.at_exit == group.count ? std::string("; hidden by exit")
                                            : fmt::format("; {} hidden by exit", with_thousands(group.at_exit));
    text += group_text(group.count, group.type, "", group.stack, words, style);
  }
  return text + hidden_text(diff.opened_groups - diff.opened.size(), style);
}

std::string between_text(const HandleDiff& diff, const TextStyle& style) {
  std::string words =
      fmt::format("{} made from {} to {}, {} of them closed again", counted(diff.made, "handle"),
                  duration_in_words(diff.basis.from), duration_in_words(diff.basis.to), with_thousands(diff.closed));
  if (diff.inherited != 0)
    words += fmt::format("; {} older ones were copied into new processes", with_thousands(diff.inherited));
  return line_text(style, words);
}

std::string_view gone_words(HowClosed how) {
  switch (how) {
    case HowClosed::close:
      return "closed";
    case HowClosed::exec:
      return "closed by exec";
    case HowClosed::exit:
      return "gone with their process";
    case HowClosed::vanished:
      return "gone, unseen how";
    case HowClosed::replaced:
    case HowClosed::still_open:
      break;
  }
  return name_of(how);
}

std::string older_text(const HandleDiff& diff, const TextStyle& style) {
  std::string words =
      fmt::format("{}: {} still open", counted(diff.older, "older handle"), with_thousands(diff.older_kept));
  for (size_t how = 0; how < how_closed_count; ++how)
    if (diff.older_by[how] != 0)
      words += fmt::format(", {} {}", with_thousands(diff.older_by[how]), gone_words(static_cast<HowClosed>(how)));
  std::string text = line_text(style, words + (diff.changed.empty() ? "" : ":"));
  for (const ChangedGroup& group : diff.changed) {
    std::string what(gone_words(group.how));
    if (!group.closing_stack.frames.empty()) what += " in";
    text +=
        group_text(group.count, group.type, what, group.closing_stack, example_words(group.example, group.type), style);
  }
  return text + hidden_text(diff.changed_groups - diff.changed.size(), style);
}

}  // namespace

std::string handle_diff_as_text(const HandleDiff& diff, const MomentNames& names, const TextStyle& style) {
  return headline(diff, names, style) + opened_text(diff, style) + "\n" + between_text(diff, style) +
         older_text(diff, style) + losses_text(diff.basis.losses, style);
}

}  // namespace culprit
