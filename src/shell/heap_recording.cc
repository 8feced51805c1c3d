#include "shell/heap_recording.h"

#include <fmt/format.h>

#include "analysis/build_allocation_report.h"
#include "analysis/life_replay.h"
#include "base/syscall.h"
#include "base/text.h"
#include "shell/moments.h"
#include "shell/recording_target.h"
#include "shell/shown_lookup.h"
#include "view/allocation_views.h"

namespace culprit {

namespace {

Result<Time> moment_or(Trace& trace, const std::string& word, Time otherwise) {
  if (word.empty()) return otherwise;
  return moment_of(trace, word);
}

}  // namespace

Result<MemoryWishes> parse_memory_wishes(const Arguments& arguments) {
  MemoryWishes wishes;
  auto report = parse_report_wishes(arguments);
  if (!report) return tl::unexpected<Error>(std::move(report).error());
  wishes.report = std::move(*report);
  wishes.all_left_is_leak = arguments.has("--outstanding");
  if (arguments.has("--peak") && arguments.has("--temporary"))
    return fail(ErrorKind::usage, "--peak and --temporary are two questions: ask one at a time");
  if (arguments.has("--peak")) wishes.view = AllocationView::peak;
  if (arguments.has("--temporary")) wishes.view = AllocationView::temporary;
  const std::string by = arguments.text("--by");
  if (!by.empty() && by != "stack" && by != "size")
    return fail(ErrorKind::usage,
                fmt::format("the memory of a recording is told by stack or by size, not by {}", printable(by)));
  if (by == "size") wishes.by = AllocationKey::size;
  wishes.from = arguments.text("--from");
  wishes.to = arguments.text("--to");
  return wishes;
}

Result<AllocationReport> answer_memory(Trace& trace, const MemoryWishes& wishes, const AnswerPlace& place) {
  const Time start = started_at(trace);
  auto from = moment_or(trace, wishes.from, wishes.report.after == 0 ? INT64_MIN : start + wishes.report.after);
  if (!from) return tl::unexpected<Error>(from.error());
  auto to = moment_or(trace, wishes.to, INT64_MAX);
  if (!to) return tl::unexpected<Error>(to.error());
  ShownLookup shown(place.progress_fd);
  auto report = build_allocation_report(trace, shown.lookup(),
                                        {.view = wishes.view,
                                         .by = wishes.by,
                                         .top = wishes.report.top,
                                         .from = *from,
                                         .to = *to,
                                         .suppressions = &wishes.report.suppressions});
  shown.done();
  if (!report) return report;
  const int fd = wishes.report.report_file ? wishes.report.report_file.get() : place.report_fd;
  std::string text = wishes.report.json ? as_json(*report, place.target)
                                        : as_text(*report, {.style = style_of(fd),
                                                            .details = wishes.report.all,
                                                            .source = wishes.report.source,
                                                            .recording = place.recording});
  CULPRIT_TRY(write_all(fd, text));
  return report;
}

Result<bool> has_leak(const AllocationReport& report, const MemoryWishes& wishes) {
  if (!wishes.report.fail_on_leak) return false;
  if (wishes.all_left_is_leak) return report.outstanding.blocks != 0;
  if (report.looked_at_exit || report.made.blocks == 0) return report.unreachable.blocks != 0;
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
  auto report = answer_memory(**trace, *wishes, {streams.output, streams.errors, target, target});
  if (!report) return complain(streams, report.error());
  auto found = has_leak(*report, *wishes);
  if (!found) return complain(streams, found.error());
  return *found ? ended_with_findings : ended_well;
}

}  // namespace culprit
