#include "view/as_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "view/group_text.h"
#include "view/stack_text.h"
#include "view/totals_text.h"

namespace culprit {

namespace {

struct Selection {
  std::vector<const HandleGroup*> leaks, open, closed;  // in the report's order, up to `top` in all
  uint64_t hidden_groups = 0, hidden_handles = 0;
};

Selection select(const HandleReport& report, size_t top) {
  Selection selection{{}, {}, {}, report.groups_hidden, report.handles_hidden};
  size_t taken = 0;
  for (const HandleGroup& group : report.groups) {
    if (top != 0 && taken == top) {
      ++selection.hidden_groups;
      selection.hidden_handles += group.count;
      continue;
    }
    ++taken;
    (group.leak ? selection.leaks : group.count != 0 ? selection.open : selection.closed).push_back(&group);
  }
  return selection;
}

// The process that will be the first to run out of handles.
const ProcessReport* most_urgent(const HandleReport& report) {
  const ProcessReport* urgent = nullptr;
  for (const ProcessReport& process : report.processes)
    if (process.time_left && (urgent == nullptr || process.time_left->seconds < urgent->time_left->seconds))
      urgent = &process;
  return urgent;
}

std::string_view never(const HandleGroup& group) {
  if (group.verdict == Verdict::hidden_by_exit) return "closed only by the end of the process";
  return group.closed == 0 ? "never closed" : "not closed";
}

std::string headline(const HandleReport& report, const TextStyle& style) {
  auto worst = std::ranges::find_if(report.groups, &HandleGroup::leak);
  if (report.leaking_groups == 0 || worst == report.groups.end()) {
    std::string words = report.outstanding == 0 ? fmt::format("{} made, all closed", counted(report.created, "handle"))
                                                : totals_sentence(report);
    if (report.created == 0 && report.outstanding == 0) words = "no handles made";
    std::string_view exact = report.exact ? "exact" : "but partial";
    return fmt::format("culprit: {}: {}; {}", inked(style, report.exact ? Ink::good : Ink::warning, "no leaks"), words,
                       exact);
  }
  std::string what = report.leaking_groups == 1
                         ? fmt::format("{} {} handle{} {}, made in ", with_thousands(worst->count),
                                       shown(worst->type, 24), worst->count == 1 ? "" : "s", never(*worst))
                         : fmt::format("{}, the most in ", counted(report.leaked, "handle"));
  return fmt::format("culprit: {}: {}{}", inked(style, Ink::bad, counted(report.leaking_groups, "leak")), what,
                     inked(style, Ink::strong, blamed_phrase(worst->stack, 72)));
}

std::string lines_of(const std::vector<const HandleGroup*>& groups, std::string_view title, const TextStyle& style) {
  if (groups.empty()) return {};
  std::string text = fmt::format("\n  {}\n", title);
  for (const HandleGroup* group : groups) text += group_line(*group, style);
  return text;
}

std::string hidden_text(const Selection& selection) {
  if (selection.hidden_groups == 0) return {};
  std::string handles = selection.hidden_handles == 0 ? "" : " with " + counted(selection.hidden_handles, "handle");
  return fmt::format("\n  … and {}{} (--top N, --all)\n", counted(selection.hidden_groups, "more group"), handles);
}

std::string urgency(const HandleReport& report, const TextStyle& style) {
  const ProcessReport* urgent = most_urgent(report);
  if (urgent == nullptr) return {};
  std::string who =
      report.processes.size() > 1 ? fmt::format("{} (pid {}): ", shown(urgent->name, 24), urgent->pid) : "";
  std::string words = inked(style, Ink::warning, who + printable(urgent->time_left->sentence));
  return "         " + wrapped(words, style.columns, 9, 9) + "\n";
}

std::string details_text(const HandleReport& report, const HandleTextOptions& options) {
  const TextStyle& style = options.style;
  Selection selection = select(report, options.top);
  std::string text;
  for (const HandleGroup* group : selection.leaks) text += "\n" + leak_text(*group, options);
  text += lines_of(selection.open, "left open, but no leak by what was seen:", style);
  text += lines_of(selection.closed, "all closed:", style);
  return text + hidden_text(selection) + "\n" + totals_text(report, options);
}

}  // namespace

std::string as_text(const HandleReport& report, const HandleTextOptions& options) {
  const TextStyle& style = options.style;
  std::string text = wrapped(headline(report, style), style.columns, 0, 9) + "\n" + urgency(report, style);
  // Nothing wrong: one line is enough, unless something else must be known or everything was asked for.
  bool calm = !report.has_leak() && !options.details;
  text += calm ? sight_text(report, options) : details_text(report, options);
  text += unknown_text(report, options) + suppressions_text(report, options);
  if (!calm || !report.exact) text += losses_text(report.losses, style);
  if (!options.recording.empty() && !calm)
    text += fmt::format("  recording: {} (culprit handles shows this again)\n", shown(options.recording, 160));
  return text;
}

}  // namespace culprit
