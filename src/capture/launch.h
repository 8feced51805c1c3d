// Starts the program to watch.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace culprit {

// The environment a program gets: ours, the agent in front of whatever LD_PRELOAD held, and the session.
std::vector<std::string> environment_with_agent(const std::string& agent_library, const std::string& session);

// Forks and executes `path`; a file the kernel refuses as no program is given to /bin/sh, as execvp does. `prepare`
// runs in the child before the exec and may only do what is allowed after fork. Returns when the program runs.
// `on_forked`, if given, runs in the parent while the child waits; its error is handed on, and ends the child. Errors:
// not_found (status 127), no_access (126), system (fork failed).
Result<pid_t> launch(const std::string& path, const std::vector<std::string>& arguments,
                     const std::vector<std::string>& environment, const std::function<void()>& prepare,
                     const std::function<Result<void>(pid_t)>& on_forked = {});

}  // namespace culprit
