#include "capture/run_surroundings.h"

#include <unistd.h>

#include "capture/launch.h"

namespace culprit {

Result<pid_t> launch_in(Surroundings& surroundings, const std::string& program, const RunRequest& request,
                        const std::vector<std::string>& environment,
                        const std::function<Result<void>(pid_t)>& on_forked) {
  surroundings.signals.hold();
  auto prepare = [&] {
    surroundings.file_limit.restore();
    surroundings.signals.restore_in_child();
    setpriority(PRIO_PROCESS, 0, surroundings.priority);
  };
  auto pid = launch(program, request.command, environment, prepare, on_forked);
  surroundings.signals.program_started(pid ? *pid : 0);
  return pid;
}

std::vector<std::string> own_environment() {
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; entry++) environment.emplace_back(*entry);
  return environment;
}

RunOutcome not_started(const RunRequest& request, const Error& error) {
  RunOutcome outcome;
  outcome.not_started_why = error.what;
  outcome.not_started_status = error.kind == ErrorKind::not_found ? 127 : 126;
  outcome.info = describe_run(request);
  outcome.info.ended = outcome.info.started;
  return outcome;
}

}  // namespace culprit
