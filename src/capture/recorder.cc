#include "capture/recorder.h"

#include <fmt/core.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "base/syscall.h"
#include "capture/agent_recorder.h"
#include "capture/bpf_recorder.h"
#include "capture/hook_choice.h"
#include "capture/ladder.h"
#include "capture/launch.h"
#include "capture/program_examination.h"
#include "capture/ptrace_run.h"
#include "capture/run_surroundings.h"
#include "target/raised_priority.h"

namespace culprit {
namespace {

using std::chrono::microseconds;
constexpr microseconds shortest_sleep{200}, longest_sleep{20'000};
constexpr Time tick_interval = 1'000'000'000;

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// One recording from launch to the end of the tree. Recorder: AgentRecorder or LiveRecorder.
template <typename Recorder>
class Run {
 public:
  Run(Recorder& recorder, TreeSignals& signals, pid_t program, const std::function<void()>& tick)
      : recorder_(recorder), signals_(signals), program_(program), tick_(tick) {}

  void until_the_tree_has_ended() {
    Time next_tick = monotonic_now() + tick_interval;
    microseconds pause = shortest_sleep;
    for (;;) {
      bool did_something = recorder_.round();
      did_something |= reap();
      if (program_ended_ && (no_children_left_ || signals_.stop_requested())) return;
      if (monotonic_now() >= next_tick) {
        next_tick = monotonic_now() + tick_interval;
        recorder_.hand_on_losses();
        if (tick_) tick_();
      }
      pause = did_something ? shortest_sleep : std::min(pause * 2, longest_sleep);
      recorder_.sleep(pause);
    }
  }

  int wait_status() const { return wait_status_; }
  bool was_interrupted() const { return !no_children_left_; }

 private:
  // Descendants whose parents ended are ours, too.
  bool reap() {
    bool found = false;
    for (;;) {
      siginfo_t info{};
      if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
        no_children_left_ = errno == ECHILD;
        return found;
      }
      // A stop of one that we look at is for the thread that traces it, and comes up here all the same.
      const bool has_ended = info.si_code == CLD_EXITED || info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED;
      if (info.si_pid == 0 || !has_ended) return found;
      found = true;
      bool exited = info.si_code == CLD_EXITED;
      int status = exited ? (info.si_status & 0xff) << 8 : info.si_status | (info.si_code == CLD_DUMPED ? 0x80 : 0);
      recorder_.ended(static_cast<uint32_t>(info.si_pid), status);
      waitpid(info.si_pid, nullptr, 0);
      if (info.si_pid != program_) continue;
      program_ended_ = true;
      wait_status_ = status;
      signals_.program_ended();
    }
  }

  Recorder& recorder_;
  TreeSignals& signals_;
  pid_t program_;
  const std::function<void()>& tick_;
  int wait_status_ = 0;
  bool program_ended_ = false;
  bool no_children_left_ = false;
};

Result<void> check_agent_library(const std::string& path) {
  if (!path.starts_with("/"))
    return fail(ErrorKind::usage, fmt::format("{}: the path of the agent library is not absolute", path));
  if (path.find_first_of(": \t\n") != std::string::npos) {
    return fail(ErrorKind::unsupported,
                fmt::format("the agent library {} cannot be preloaded: its path has a space or colon; "
                            "install culprit elsewhere",
                            path));
  }
  CULPRIT_TRY(checked(fmt::format("read the agent library {}", path), [&] { return access(path.c_str(), R_OK); }));
  return {};
}

std::string search_path() {
  const char* path = getenv("PATH");
  return path != nullptr ? path : "/bin:/usr/bin";
}

}  // namespace

Via chosen_via(const RunRequest& request) {
  if (request.via != Via::best || request.command.empty()) return request.via == Via::best ? Via::agent : request.via;
  auto program = find_program(request.command.front(), search_path());
  return program && wants_ptrace(examine_program(*program)) ? Via::ptrace : Via::agent;
}

TraceInfo describe_run(const RunRequest& request) {
  TraceInfo info;
  utsname machine{};
  uname(&machine);
  timespec wall{};
  clock_gettime(CLOCK_REALTIME, &wall);
  info.recorded_by = fmt::format("culprit 0.1.0, {}", name_of(chosen_via(request)));
  info.command = joined(request.command);
  info.allocations = request.memory ? std::max(request.sample_bytes, 1u) : 0;
  info.machine = fmt::format("{}, {} {} {}", machine.nodename, machine.sysname, machine.release, machine.machine);
  info.started = monotonic_now();
  info.wall_clock_ns = wall.tv_sec * 1'000'000'000 + wall.tv_nsec;
  return info;
}

namespace {

template <typename Recorder>
void follow(Recorder& recorder, Surroundings& surroundings, pid_t pid, const std::function<void()>& tick,
            RunOutcome& outcome) {
  Run<Recorder> run(recorder, surroundings.signals, pid, tick);
  run.until_the_tree_has_ended();
  recorder.finish();
  outcome.started = true;
  outcome.pid = static_cast<uint32_t>(pid);
  outcome.wait_status = run.wait_status();
  outcome.interrupted = run.was_interrupted();
  outcome.info.ended = monotonic_now();
}

Result<RunOutcome> record_run_by_agent(const RunRequest& request, const std::string& program, TraceTables& tables,
                                       EventSink& sink, const std::function<void()>& tick) {
  bool wraps = request.wrap || (!request.wrappers_library.empty() && !own_libc_looks_patchable());
  const std::string& agent_library = wraps ? request.wrappers_library : request.agent_library;
  CULPRIT_TRY(check_agent_library(agent_library));
  auto recorder = AgentRecorder::create(agent_library, tables, sink);
  if (!recorder) return tl::unexpected<Error>(recorder.error());

  (*recorder)->ask_before_exits(request.may_end);
  if (request.look_at_death) (*recorder)->watch_deaths(request.look_at_death);
  (*recorder)->memory().header().sample_bytes = request.sample_bytes;

  ProgramExamination examined = examine_program(program);
  Surroundings surroundings((*recorder)->memory().header().doorbell, getpriority(PRIO_PROCESS, 0));
  RunOutcome outcome;
  outcome.info = describe_run(request);
  auto pid =
      launch_in(surroundings, program, request,
                examined.tolerates_preload() ? environment_with_agent(agent_library, (*recorder)->environment_value())
                                             : own_environment());
  if (!pid) return not_started(request, pid.error());

  (*recorder)->launched(static_cast<uint32_t>(*pid), outcome.info.started, !examined.is_followable(),
                        examined.sight_reason());
  RaisedPriority priority;
  (*recorder)->build_likely_tables();
  follow(**recorder, surroundings, *pid, tick, outcome);
  return outcome;
}

Result<RunOutcome> record_run_by_bpf(const RunRequest& request, const std::string& program, TraceTables& tables,
                                     EventSink& sink, const std::function<void()>& tick) {
  WatchRequest wanted;
  wanted.children = true;
  int priority = getpriority(PRIO_PROCESS, 0);  // the recorder raises ours
  auto recorder = start_bpf_recorder(wanted, tables, sink);
  if (!recorder) return tl::unexpected<Error>(std::move(recorder).error());
  uint32_t doorbell = 0;
  Surroundings surroundings(doorbell, priority);
  RunOutcome outcome;
  outcome.info = describe_run(request);
  auto pid = launch_in(surroundings, program, request, own_environment());
  if (!pid) return not_started(request, pid.error());
  follow(**recorder, surroundings, *pid, tick, outcome);
  return outcome;
}

}  // namespace

Result<RunOutcome> record_run(const RunRequest& request, TraceTables& tables, EventSink& sink,
                              const std::function<void()>& tick) {
  if (request.command.empty()) return fail(ErrorKind::usage, "no command to run was given");
  auto program = find_program(request.command.front(), search_path());
  if (!program) return not_started(request, program.error());
  switch (chosen_via(request)) {
    case Via::bpf:
      return record_run_by_bpf(request, *program, tables, sink, tick);
    case Via::ptrace:
      return record_run_by_ptrace(request, *program, tables, sink, tick);
    default:
      return record_run_by_agent(request, *program, tables, sink, tick);
  }
}

}  // namespace culprit
