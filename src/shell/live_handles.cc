#include "shell/live_handles.h"

#include <fmt/core.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <csignal>

#include "capture/tsc_clock.h"
#include "shell/live_target.h"

namespace culprit {
namespace {

std::atomic<bool> was_interrupted = false;
void note_interrupt(int) { was_interrupted = true; }

bool has_input() {
  pollfd input{0, POLLIN, 0};
  return poll(&input, 1, 0) == 1;
}

}  // namespace

void record_until(LiveSession& session, Time until, bool until_enter) {
  struct sigaction end {};
  end.sa_handler = note_interrupt;
  sigaction(SIGINT, &end, nullptr);
  sigaction(SIGTERM, &end, nullptr);
  session.wait([&] { return !was_interrupted && monotonic_now() < until && !(until_enter && has_input()); });
}

void record_for(LiveSession& session, const Arguments& arguments) {
  const Time until = arguments.has("--for") ? monotonic_now() + arguments.nanoseconds("--for") : INT64_MAX;
  record_until(session, until, arguments.has("--until-enter"));
}

Ending run_live_handles(uint32_t pid, const Arguments& arguments, const Streams& streams) {
  auto question = parse_handle_question(arguments);
  if (!question) return complain(streams, question.error());
  auto wishes = parse_report_wishes(arguments);
  if (!wishes) return complain(streams, wishes.error());
  auto request = live_request(pid, arguments);
  if (!request) return complain(streams, request.error());
  std::string what = request->what, kept = request->output;
  auto session = LiveSession::start(std::move(*request));
  if (!session) return complain(streams, session.error());
  Streams beside{streams.errors, streams.errors};
  answer(beside, about_session(**session, pid));
  if (arguments.has("--until-enter") && isatty(0) == 1) answer(beside, "press Enter to end\n");
  record_for(**session, arguments);

  std::signal(SIGPIPE, SIG_IGN);
  if (auto finished = (*session)->finish(); !finished) complain(streams, finished.error());
  answer(beside, about_stops((*session)->status()));
  auto trace = (*session)->finished();
  if (!trace) return complain(streams, trace.error());
  AnswerPlace place{streams.output, streams.errors, what, kept};
  if (question->asked != Asked::report) {
    auto answered = answer_question(**trace, *question, place);
    return answered ? ended_well : complain(streams, answered.error());
  }
  auto report = answer_handles(**trace, *wishes, place);
  if (!report) return complain(streams, report.error());
  return wishes->fail_on_leak && report->has_leak() ? ended_with_findings : ended_well;
}

}  // namespace culprit
