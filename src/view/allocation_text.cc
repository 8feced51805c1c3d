#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "view/allocation_series_text.h"
#include "view/allocation_views.h"
#include "view/answer_text.h"
#include "view/mappings_text.h"
#include "view/memory_words.h"
#include "view/stack_text.h"
#include "view/totals_text.h"

namespace culprit {

namespace {

constexpr size_t indent = 4, groups_in_full = 3, processes_shown = 8;

// All numbers of such a report are estimates; the first lines say so, and the last one how good they are.
std::string_view about(const AllocationReport& report) { return report.sampled_every == 0 ? "" : "about "; }

std::string percent(uint64_t part, uint64_t whole) {
  if (whole == 0) return "0 %";
  const double share = 100.0 * static_cast<double>(part) / static_cast<double>(whole);
  return share > 0 && share < 1 ? "under 1 %" : fmt::format("{:.0f} %", share);
}

const BlockCount& shown_count(const AllocationGroup& group, AllocationView view) {
  return view == AllocationView::peak ? group.at_peak : view == AllocationView::made ? group.made : group.outstanding;
}

bool tells_verdict(AllocationView view) { return view == AllocationView::outstanding || view == AllocationView::made; }

// Of mappings nobody asks it, and of a sample it is not known.
bool tells_temporary(const AllocationReport& report) {
  return report.kind == RecordedMemory::blocks && report.sampled_every == 0;
}

// What the view counts of a group, in words of one size.
std::string weight(const AllocationReport& report, const AllocationGroup& group) {
  if (report.view == AllocationView::temporary) return fmt::format("{} temporary", with_thousands(group.temporary));
  return amount(shown_count(group, report.view), report.kind);
}

std::string size_words(const AllocationGroup& group) {
  return group.smallest == group.largest
             ? fmt::format("each {}", bytes_in_words(group.largest))
             : fmt::format("{} to {} each", bytes_in_words(group.smallest), bytes_in_words(group.largest));
}

std::string place_of(const AllocationReport& report, const AllocationGroup& group, size_t columns) {
  return report.by == AllocationKey::size ? size_group_words(report.kind, group.largest)
                                          : blamed_phrase(group.stack, columns);
}

std::string made_headline(const AllocationReport& report, const TextStyle& style) {
  std::string words = fmt::format("culprit: {}, {} of them left", made_words(report.made.blocks, report.kind),
                                  inked(style, Ink::strong, with_thousands(report.outstanding.blocks)));
  if (report.groups.empty()) return words;
  const AllocationGroup& worst = report.groups.front();
  return words + fmt::format("; the most {} {}", worst.outstanding.blocks != 0 ? "left by" : "in",
                             inked(style, Ink::strong, place_of(report, worst, 72)));
}

std::string headline(const AllocationReport& report, const TextStyle& style) {
  if (report.made.blocks == 0) {
    if (report.view == AllocationView::made) return "culprit: nobody allocated such a block while they were recorded";
    // What was lost may have been all of it.
    if (report.exact && report.kind == RecordedMemory::mappings)
      return "culprit: nothing was mapped (mmap, mremap, brk)";
    return report.exact ? "culprit: no memory was allocated" : "culprit: of what was allocated, nothing was recorded";
  }
  if (report.view == AllocationView::peak || report.view == AllocationView::over_time) {
    std::string words =
        fmt::format("culprit: at most {}{} in use, after {}", about(report),
                    inked(style, Ink::strong, amount(report.most, report.kind)), duration_in_words(report.most_at));
    const std::string_view of_it = report.view == AllocationView::peak ? "the most of it from " : "most ever from ";
    if (!report.groups.empty()) words += fmt::format(", {}{}", of_it, place_of(report, report.groups.front(), 72));
    return words;
  }
  if (report.view == AllocationView::temporary) {
    std::string words =
        fmt::format("culprit: {} of {} temporary ({})", with_thousands(report.temporary),
                    made_words(report.made.blocks, report.kind), percent(report.temporary, report.made.blocks));
    if (!report.groups.empty()) words += ", the most in " + place_of(report, report.groups.front(), 72);
    return words;
  }
  if (report.view == AllocationView::made) return made_headline(report, style);
  if (report.outstanding.blocks == 0 && report.sampled_every != 0)
    return fmt::format("culprit: nothing of the sample is left: about {}, of which {} recorded",
                       counted(report.made.blocks, "allocation"),
                       report.samples == 1 ? "1 was" : with_thousands(report.samples) + " were");
  if (report.outstanding.blocks == 0)
    return fmt::format(
        "culprit: {}: {}{}, all {}",
        inked(style, Ink::good, report.kind == RecordedMemory::blocks ? "no memory is left" : "no mapping is left"),
        about(report), made_words(report.made.blocks, report.kind),
        report.kind == RecordedMemory::blocks ? "released" : "unmapped");
  if (report.unreachable.blocks != 0)
    return fmt::format("culprit: {}{} unreachable at exit, the most from {}; {} left in all", about(report),
                       inked(style, Ink::bad, amount(report.unreachable, report.kind)),
                       inked(style, Ink::strong, place_of(report, report.groups.front(), 72)),
                       amount(report.outstanding, report.kind));
  std::string words = fmt::format("culprit: {}{} left", about(report),
                                  inked(style, Ink::strong, amount(report.outstanding, report.kind)));
  if (report.looked_at_exit) words += ", none of it unreachable at exit";
  auto worst = std::ranges::find(report.groups, AllocationVerdict::grows, &AllocationGroup::verdict);
  if (worst != report.groups.end()) {
    words += fmt::format(
        "; {}, the most from {}",
        inked(style, Ink::bad,
              counted(report.growing_groups, report.by == AllocationKey::size ? "size grows" : "stack grows",
                      report.by == AllocationKey::size ? "sizes grow" : "stacks grow")),
        inked(style, Ink::strong, place_of(report, *worst, 72)));
  } else if (!report.groups.empty()) {
    words += ", none of it growing; the most from " + place_of(report, report.groups.front(), 72);
  }
  return words;
}

std::string group_text(const AllocationReport& report, const AllocationGroup& group,
                       const AllocationTextOptions& options) {
  const TextStyle& style = options.style;
  const bool of_what_is_left = tells_verdict(report.view);
  const bool is_bad = of_what_is_left && !group.evidence.empty();
  std::string head = inked(style, is_bad ? Ink::bad : Ink::strong, weight(report, group));
  head += fmt::format("   {}{}{}", group.mapping, group.mapping.empty() ? "" : ", ", size_words(group));
  if (of_what_is_left && group.verdict != AllocationVerdict::none)
    head += fmt::format(", {}", inked(style, Ink::warning, name_of(group.verdict)));
  if (is_bad) head += fmt::format(": {}", group.evidence);
  std::string text = "  " + wrapped(head, style.columns, 2, indent) + "\n";
  text += stack_text(group.stack, {style, indent, options.details, options.source});
  std::string history =
      fmt::format("{}{} by {}", about(report), made_words(group.made.blocks, report.kind), group.function);
  if (tells_temporary(report)) history += fmt::format(", {} temporary", with_thousands(group.temporary));
  if (group.outstanding.blocks != 0)
    history += fmt::format("; {} left, made {} to {} after the start", with_thousands(group.outstanding.blocks),
                           duration_in_words(group.first), duration_in_words(group.last));
  text += line_text(style, history, indent);
  return text + line_text(style,
                          fmt::format("over time {}  at most {}", series_sparkline(group.series, part_count, style),
                                      bytes_in_words(group.most.bytes)),
                          indent);
}

std::string group_line(const AllocationReport& report, const AllocationGroup& group, const TextStyle& style) {
  std::string what = report.view == AllocationView::temporary
                         ? fmt::format("{:>11} temporary", with_thousands(group.temporary))
                         : fmt::format("{:>9} in {:>9}", bytes_in_words(shown_count(group, report.view).bytes),
                                       with_thousands(shown_count(group, report.view).blocks));
  const bool has_verdict = tells_verdict(report.view);
  std::string left = "  " + what + "  " + padded(has_verdict ? name_of(group.verdict) : "", has_verdict ? 11 : 0);
  if (report.kind == RecordedMemory::mappings) left += padded(group.mapping, 13);
  const size_t used = display_width(left) + 1;
  return left + " " + place_of(report, group, style.columns > used + 24 ? style.columns - used : 24) + "\n";
}

std::string hidden_groups_text(const AllocationReport& report) {
  if (report.groups_hidden == 0) return "";
  const std::string groups = counted(report.groups_hidden, "more group");
  if (report.view == AllocationView::over_time) return fmt::format("  … and {} (--top N, --all)\n", groups);
  return fmt::format("\n  … and {} with {} (--top N, --all)\n", groups,
                     report.view == AllocationView::temporary ? counted(report.hidden.blocks, "allocation")
                                                              : amount(report.hidden, report.kind));
}

std::string groups_text(const AllocationReport& report, const AllocationTextOptions& options) {
  if (report.view == AllocationView::over_time)
    return allocation_series_text(report, options.style) + hidden_groups_text(report);
  std::string text;
  const bool in_lines = report.by == AllocationKey::size;
  for (size_t i = 0; i < report.groups.size(); ++i) {
    const bool in_full = !in_lines && (options.details || i < groups_in_full);
    if (in_full) text += "\n" + group_text(report, report.groups[i], options);
    if (!in_full && (i == 0 || i == groups_in_full)) text += "\n";
    if (!in_full) text += group_line(report, report.groups[i], options.style);
  }
  return text + hidden_groups_text(report);
}

std::string process_line(const ProcessMemoryReport& process, RecordedMemory kind, const TextStyle& style) {
  std::string words = fmt::format("{}: {} left, at most {}, {}", process_words(process.name, process.pid),
                                  amount(process.outstanding, kind), bytes_in_words(process.most.bytes),
                                  made_words(process.made.blocks, kind));
  if (process.unreachable.blocks != 0)
    words += fmt::format("; {} unreachable at exit", amount(process.unreachable, kind));
  if (process.gone_with_exec.blocks != 0)
    words += fmt::format("; {} gone with the program it was before", amount(process.gone_with_exec, kind));
  if (process.unknown_releases != 0)
    words += fmt::format("; {} {}", counted(process.unknown_releases, "release"),
                         process.forked ? "of what it inherited" : "of memory from before the recording");
  return line_text(style, words, indent);
}

std::string temporary_words(const AllocationReport& report) {
  if (!tells_temporary(report)) return {};
  return fmt::format(", {} temporary", percent(report.temporary, report.made.blocks));
}

std::string not_looked_at_line(const ProcessMemoryReport& process, const TextStyle& style) {
  return line_text(style, fmt::format("what {}was unreachable as {} ended is not known: {}",
                                      process.unreachable.blocks == 0 ? "" : "else ",
                                      process_words(process.name, process.pid), printable(process.why_not)));
}

std::string totals_text(const AllocationReport& report, const AllocationTextOptions& options) {
  const TextStyle& style = options.style;
  std::string text =
      line_text(style, fmt::format("{}{} in {}: {} made, {} left{}; at most {} in use, after {}", about(report),
                                   made_words(report.made.blocks, report.kind), duration_in_words(report.duration),
                                   bytes_in_words(report.made.bytes), with_thousands(report.outstanding.blocks),
                                   temporary_words(report), bytes_in_words(report.most.bytes),
                                   duration_in_words(report.most_at)));
  const size_t shown_processes = options.details ? report.processes.size() : processes_shown;
  const bool one = report.processes.size() == 1 && report.processes.front().unknown_releases == 0;
  for (size_t i = 0; i < std::min(shown_processes, report.processes.size()) && !one; ++i)
    text += process_line(report.processes[i], report.kind, style);
  if (report.processes.size() > shown_processes)
    text += line_text(style,
                      fmt::format("… and {} (--all)",
                                  counted(report.processes.size() - shown_processes, "more process", "more processes")),
                      indent);
  for (const ProcessMemoryReport& process : report.processes)
    if (!process.why_not.empty() && report.view == AllocationView::outstanding)
      text += not_looked_at_line(process, style);
  if (report.suppressed_groups != 0)
    text += line_text(style, fmt::format("suppressed: {} in {}", amount(report.suppressed, report.kind),
                                         counted(report.suppressed_groups, "group")));
  return text;
}

// What the numbers are worth.
std::string basis_text(const AllocationReport& report, const TextStyle& style) {
  if (report.sampled_every == 0) return losses_text(report.losses, style);
  std::string text =
      line_text(style, fmt::format("sampled: estimates from {}, one every {} on average; what comes from n of them is "
                                   "right to about 1/√n",
                                   counted(report.samples, "recorded block"), bytes_in_words(report.sampled_every)));
  return is_exact(report.losses) ? text : text + losses_text(report.losses, style);
}

}  // namespace

std::string as_text(const AllocationReport& report, const AllocationTextOptions& options) {
  const TextStyle& style = options.style;
  std::string text = wrapped(headline(report, style), style.columns, 0, 9) + "\n";
  if (report.made.blocks == 0) return text + mappings_text(report.mappings, style) + basis_text(report, style);
  text += groups_text(report, options) + "\n" + totals_text(report, options) + mappings_text(report.mappings, style) +
          basis_text(report, style);
  if (!options.recording.empty())
    text += fmt::format("  recording: {} (culprit heap shows this again)\n", shown(options.recording, 160));
  return text;
}

}  // namespace culprit
