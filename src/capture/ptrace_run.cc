#include "capture/ptrace_run.h"

#include <fmt/core.h>
#include <unistd.h>

#include <chrono>

#include "capture/ptrace_recorder.h"
#include "capture/run_surroundings.h"
#include "capture/tsc_clock.h"

namespace culprit {
namespace {

constexpr std::chrono::milliseconds longest_sleep{20};
constexpr Time tick_interval = 1'000'000'000;

// Programs with rights of their own keep them only if the tracer may trace everybody.
Result<void> check_program(const ProgramExamination& program) {
  bool is_foreign = program.kind == ProgramKind::other_word_size || program.kind == ProgramKind::other_machine;
  bool loses_rights = program.kind == ProgramKind::privileged && geteuid() != 0;
  if (!is_foreign && !loses_rights) return {};
  std::string_view why = is_foreign ? "culprit does not know its system calls" : "it would not get them while traced";
  return fail(ErrorKind::unsupported,
              fmt::format("{} is {}: {}, so ptrace cannot record it", program.path, program.what, why));
}

std::string sight_reason(const RunRequest& request, const ProgramExamination& program) {
  if (request.via == Via::ptrace && program.is_followable()) return "";
  return program.why_no_agent() +
         ", so ptrace stops it at every system call: nothing is missed, but system calls are slow";
}

// Until the tree has ended, or the user does not want to wait for what the program left behind.
void follow(PtraceRecorder& recorder, TreeSignals& signals, const std::function<void()>& tick) {
  Time next_tick = monotonic_now() + tick_interval;
  bool has_ended = false;
  while (recorder.has_targets() && !(has_ended && signals.stop_requested())) {
    recorder.round();
    if (!has_ended && recorder.first_status()) {
      has_ended = true;
      signals.program_ended();
    }
    if (monotonic_now() >= next_tick) {
      next_tick = monotonic_now() + tick_interval;
      recorder.hand_on_losses();
      if (tick) tick();
    }
    recorder.sleep(longest_sleep);
  }
}

}  // namespace

bool wants_ptrace(const ProgramExamination& program) {
  // A set-uid program runs with others' rights: it is watched from outside unless the user asks for more.
  return !program.is_followable() && program.kind != ProgramKind::privileged && check_program(program).has_value();
}

Result<RunOutcome> record_run_by_ptrace(const RunRequest& request, const std::string& program, TraceTables& tables,
                                        EventSink& sink, const std::function<void()>& tick) {
  ProgramExamination examined = examine_program(program);
  CULPRIT_TRY(check_program(examined));
  RunOutcome outcome;
  outcome.info = describe_run(request);
  uint32_t doorbell = 0;
  Surroundings surroundings(doorbell, getpriority(PRIO_PROCESS, 0));
  PtraceRecorder recorder(WatchRequest{}, tables, sink, Tracer::Waits::for_children);
  if (request.look_at_death) recorder.watch_deaths(request.look_at_death);
  auto pid = launch_in(surroundings, program, request, own_environment(), [&](pid_t child) {
    return recorder.adopt(static_cast<uint32_t>(child), outcome.info.started, sight_reason(request, examined));
  });
  if (!pid) return not_started(request, pid.error());
  follow(recorder, surroundings.signals, tick);
  outcome.started = true;
  outcome.pid = static_cast<uint32_t>(*pid);
  outcome.interrupted = recorder.has_targets();
  recorder.finish();
  outcome.wait_status = recorder.first_status().value_or(0);
  outcome.info.ended = monotonic_now();
  return outcome;
}

}  // namespace culprit
