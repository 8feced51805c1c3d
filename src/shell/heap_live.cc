#include "shell/heap_live.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "analysis/heap_examination.h"
#include "analysis/heap_growth.h"
#include "base/syscall.h"
#include "model/clock.h"
#include "shell/heap_question.h"
#include "shell/heap_recording.h"
#include "shell/live_handles.h"
#include "shell/live_target.h"
#include "shell/target_argument.h"
#include "view/growth_views.h"

namespace culprit {

namespace {

constexpr Time usual_time = 10'000'000'000;  // of --suspect

// Without --for, until Ctrl-C.
Result<std::unique_ptr<LiveSession>> start_recording(uint32_t pid, const Arguments& arguments,
                                                     const BlockSizes& sizes) {
  auto request = live_request(pid, arguments);
  if (!request) return tl::unexpected<Error>(request.error());
  request->via = Via::agent;
  request->watch.handles = false;
  request->watch.memory = sizes;
  return LiveSession::start(std::move(*request));
}

std::string about_recording(const BlockSizes& sizes, uint32_t pid, const Arguments& arguments) {
  return fmt::format("recording who allocates {} in process {}{}\n",
                     sizes.has_all() ? "memory" : "blocks of " + sizes_in_words(sizes), pid,
                     arguments.has("--for") || arguments.has("--suspect") ? "" : "; Ctrl-C ends it");
}

struct Recorded {
  std::unique_ptr<LiveSession> session;  // the trace needs it
  std::unique_ptr<Trace> trace;
};

// Records as long as `wait` says, and lets the process go.
template <typename Wait>
Result<Recorded> record(uint32_t pid, const Arguments& arguments, const BlockSizes& sizes, const Streams& streams,
                        Wait wait) {
  auto session = start_recording(pid, arguments, sizes);
  if (!session) return tl::unexpected<Error>(session.error());
  Streams beside{streams.errors, streams.errors};
  answer(beside, about_recording(sizes, pid, arguments));
  wait(**session);
  std::signal(SIGPIPE, SIG_IGN);
  if (auto finished = (*session)->finish(); !finished) complain(streams, finished.error());
  answer(beside, about_stops((*session)->status()));
  auto trace = (*session)->finished();
  if (!trace) return tl::unexpected<Error>(trace.error());
  return Recorded{std::move(*session), std::move(*trace)};
}

// --stacks-of-size N, or A-B, or without a value beside --range A-B.
Result<BlockSizes> sizes_to_record(const Arguments& arguments) {
  const std::string sizes = arguments.text("--stacks-of-size");
  if (!arguments.has("--range")) return parse_block_sizes(sizes, "--stacks-of-size");
  if (sizes.empty()) return parse_block_sizes(arguments.text("--range"), "--range");
  return fail(ErrorKind::usage, "--stacks-of-size N and --range both say which sizes: give one of them");
}

AnswerPlace place_of(uint32_t pid, const Arguments& arguments, const Streams& streams) {
  return {streams.output, streams.errors, std::to_string(pid), arguments.text("--output")};
}

Result<HeapGrowth> look_twice(const std::string& name, Time apart) {
  HeapQuestion question;
  question.ask = HeapAsk::by_size;
  auto target = open_target(name);
  if (!target) return tl::unexpected<Error>(target.error());
  auto first = examine_heap(**target, question);
  if (!first) return tl::unexpected<Error>(first.error());
  const Time begin = monotonic_now();
  usleep(static_cast<useconds_t>(apart / 1000));
  target = open_target(name);
  if (!target) return tl::unexpected<Error>(target.error());
  auto second = examine_heap(**target, question);
  if (!second) return tl::unexpected<Error>(second.error());
  return growth_between(*first, *second, static_cast<double>(monotonic_now() - begin) / 1e9);
}

}  // namespace

Ending run_stacks_of_size(uint32_t pid, const Arguments& arguments, const Streams& streams) {
  auto sizes = sizes_to_record(arguments);
  if (!sizes) return complain(streams, sizes.error());
  auto wishes = parse_memory_wishes(arguments);
  if (!wishes) return complain(streams, wishes.error());
  wishes->view = AllocationView::made;
  auto recorded =
      record(pid, arguments, *sizes, streams, [&](LiveSession& session) { record_for(session, arguments); });
  if (!recorded) return complain(streams, recorded.error());
  auto report = answer_memory(*recorded->trace, *wishes, place_of(pid, arguments, streams));
  return report ? ended_well : complain(streams, report.error());
}

Ending run_suspect(uint32_t pid, const Arguments& arguments, const Streams& streams) {
  auto wishes = parse_memory_wishes(arguments);
  if (!wishes) return complain(streams, wishes.error());
  wishes->view = AllocationView::made;
  const Time time = arguments.has("--for") ? arguments.nanoseconds("--for") : usual_time;
  auto growth = look_twice(std::to_string(pid), time / 2);
  if (!growth) return complain(streams, growth.error());
  const AnswerPlace place = place_of(pid, arguments, streams);
  const int output = wishes->report.report_file ? wishes->report.report_file.get() : streams.output;
  const AllocationTextOptions options{.style = style_of(output),
                                      .details = wishes->report.all,
                                      .source = wishes->report.source,
                                      .recording = place.recording};
  auto tell = [&](const AllocationReport* report) {
    return answer({output, streams.errors}, wishes->report.json ? growth_as_json(*growth, report, place.target)
                                                                : growth_as_text(*growth, report, options));
  };
  if (growth->sizes.empty()) return tell(nullptr);
  const BlockSizes sizes = growth->suspect() != nullptr ? asked_sizes(growth->suspect()->size) : BlockSizes{};
  auto recorded = record(pid, arguments, sizes, streams,
                         [&](LiveSession& session) { record_until(session, monotonic_now() + time); });
  if (!recorded) return complain(streams, recorded.error());
  auto report = memory_report(*recorded->trace, *wishes, place);
  return report ? tell(&*report) : complain(streams, report.error());
}

}  // namespace culprit
