#include "shell/heap_recording.h"

#include <fmt/format.h>

#include <algorithm>

#include "analysis/block_history.h"
#include "analysis/build_allocation_report.h"
#include "analysis/life_replay.h"
#include "base/syscall.h"
#include "base/text.h"
#include "shell/crash_pages.h"
#include "shell/heap_question.h"
#include "shell/moments.h"
#include "shell/recording_target.h"
#include "shell/shown_lookup.h"
#include "view/allocation_views.h"
#include "view/block_history_views.h"

namespace culprit {

namespace {

Result<Time> moment_or(Trace& trace, const std::string& word, Time otherwise) {
  if (word.empty()) return otherwise;
  return moment_of(trace, word);
}

// Times within the window in which nobody looked.
std::vector<Loss> pauses_within(const std::vector<MemoryStretch>& stretches, Time from, Time to) {
  uint64_t pauses = 0;
  for (const MemoryStretch& stretch : stretches)
    pauses += stretch.to != INT64_MAX && from < stretch.to && stretch.to < to ? 1 : 0;
  if (pauses == 0) return {};
  return {{LossKind::memory_paused, pauses, ProcessId::none, {}}};
}

}  // namespace

Ending answer_block(Trace& trace, const Arguments& arguments, const ReportWishes& wishes, const Streams& streams) {
  for (std::string_view other :
       {"--by", "--mappings", "--peak", "--temporary", "--over-time", "--from", "--to", "--fail-on-leak"})
    if (arguments.has(other)) return complain(streams, fmt::format("--block and {} are two questions", other));
  auto address = number_option(arguments, "--block");
  if (!address) return complain(streams, address.error());
  if (trace.info().allocations > 1)
    return complain(streams, "--block: the recording has only a sample of all blocks (run --heap --sample)");
  ShownLookup shown(streams.errors);
  constexpr size_t most_kept = 10'000;
  const size_t kept = wishes.top == 0 ? most_kept : std::min(wishes.top, most_kept);
  auto history = build_block_history(trace, shown.lookup(), *address, kept);
  shown.done();
  if (!history) return complain(streams, history.error());
  const int fd = wishes.report_file ? wishes.report_file.get() : streams.output;
  const std::string text = wishes.json ? as_json(*history, arguments.operands.front())
                                       : as_text(*history, {style_of(fd), wishes.all, wishes.source});
  auto written = write_all(fd, text);
  return written ? ended_well : complain(streams, written.error());
}

Result<MemoryWishes> parse_memory_wishes(const Arguments& arguments) {
  MemoryWishes wishes;
  auto report = parse_report_wishes(arguments);
  if (!report) return tl::unexpected<Error>(std::move(report).error());
  wishes.report = std::move(*report);
  wishes.all_left_is_leak = arguments.has("--outstanding");
  constexpr std::pair<std::string_view, AllocationView> views[] = {{"--peak", AllocationView::peak},
                                                                   {"--temporary", AllocationView::temporary},
                                                                   {"--over-time", AllocationView::over_time}};
  for (auto [option, view] : views) {
    if (!arguments.has(option)) continue;
    if (wishes.view != AllocationView::outstanding)
      return fail(ErrorKind::usage, "--peak, --temporary and --over-time are three questions: ask one at a time");
    wishes.view = view;
  }
  if (arguments.has("--mappings")) wishes.kind = RecordedMemory::mappings;
  if (wishes.kind == RecordedMemory::mappings && wishes.view == AllocationView::temporary)
    return fail(ErrorKind::usage, "--temporary is about blocks of the allocator, and --mappings is not");
  if (wishes.kind == RecordedMemory::mappings && wishes.report.fail_on_leak)
    return fail(ErrorKind::usage, "--fail-on-leak is about blocks of the allocator, and --mappings is not");
  const std::string by = arguments.text("--by");
  if (!by.empty() && by != "stack" && by != "size")
    return fail(ErrorKind::usage,
                fmt::format("the memory of a recording is told by stack or by size, not by {}", printable(by)));
  if (by == "size") wishes.by = AllocationKey::size;
  wishes.from = arguments.text("--from");
  wishes.to = arguments.text("--to");
  return wishes;
}

Result<AllocationReport> memory_report(Trace& trace, const MemoryWishes& wishes, const AnswerPlace& place) {
  if (wishes.kind == RecordedMemory::mappings && trace.info().allocations > 1)
    return fail(ErrorKind::not_found, "--mappings: a sample (run --heap --sample) has blocks only");
  const Time start = started_at(trace);
  auto stretches = memory_stretches(trace);
  if (!stretches) return tl::unexpected<Error>(stretches.error());
  const MemoryStretch newest = stretches->empty() ? MemoryStretch{} : stretches->back();
  auto from = moment_or(trace, wishes.from, wishes.report.after == 0 ? newest.from : start + wishes.report.after);
  if (!from) return tl::unexpected<Error>(from.error());
  auto to = moment_or(trace, wishes.to, newest.to);
  if (!to) return tl::unexpected<Error>(to.error());
  ShownLookup shown(place.progress_fd);
  auto report = build_allocation_report(trace, shown.lookup(),
                                        {.kind = wishes.kind,
                                         .view = wishes.view,
                                         .by = wishes.by,
                                         .top = wishes.report.top,
                                         .from = *from,
                                         .to = *to,
                                         .suppressions = &wishes.report.suppressions,
                                         .losses = pauses_within(*stretches, *from, *to)});
  shown.done();
  return report;
}

Result<AllocationReport> answer_memory(Trace& trace, const MemoryWishes& wishes, const AnswerPlace& place) {
  auto report = memory_report(trace, wishes, place);
  if (!report) return report;
  const int fd = wishes.report.report_file ? wishes.report.report_file.get() : place.report_fd;
  std::string text = wishes.report.json
                         ? as_json(*report, place.target, place.crashes)
                         : crash_pages_text(place.crashes, {.style = style_of(fd), .details = wishes.report.all}) +
                               as_text(*report, {.style = style_of(fd),
                                                 .details = wishes.report.all,
                                                 .source = wishes.report.source,
                                                 .recording = place.recording});
  CULPRIT_TRY(write_all(fd, text));
  return report;
}

Result<bool> has_leak(const AllocationReport& report, const MemoryWishes& wishes) {
  if (!wishes.report.fail_on_leak) return false;
  if (wishes.all_left_is_leak) return report.outstanding.blocks != 0;
  if (report.unreachable.blocks != 0) return true;
  if (report.looked_at_exit || report.made.blocks == 0) return false;
  return fail(ErrorKind::not_found,
              "--fail-on-leak: it is not known what was unreachable as the program ended; with --outstanding, all that "
              "is left is the leak");
}

Ending run_heap_recording(const Arguments& arguments, const Streams& streams) {
  const std::string& target = arguments.operands.front();
  auto wishes = parse_memory_wishes(arguments);
  if (!wishes) return complain(streams, wishes.error());
  auto trace = open_recording_target(target);
  if (!trace) return complain(streams, trace.error());
  if ((*trace)->info().allocations == 0)
    return complain(streams, fmt::format("{} has no allocations; `culprit run --heap -o FILE -- COMMAND` records them",
                                         printable(target)));
  if (arguments.has("--block")) return answer_block(**trace, arguments, wishes->report, streams);
  auto report = answer_memory(**trace, *wishes, {streams.output, streams.errors, target, target});
  if (!report) return complain(streams, report.error());
  auto found = has_leak(*report, *wishes);
  if (!found) return complain(streams, found.error());
  return *found ? ended_with_findings : ended_well;
}

}  // namespace culprit
