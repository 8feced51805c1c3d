#include "shell/target_argument.h"

#include <fmt/core.h>
#include <unistd.h>

#include "base/text.h"
#include "shell/live_target.h"

namespace culprit {

Result<std::unique_ptr<Target>> open_target(const std::string& argument, const std::string& executable) {
  auto pid = process_target(argument);
  if (!pid) return tl::unexpected<Error>(pid.error());
  if (*pid && !executable.empty())
    return fail(ErrorKind::usage,
                "--executable says where the program of a core is; " + printable(argument) + " is a process");
  if (*pid) return open_live_process(**pid);
  if (access(argument.c_str(), F_OK) != 0) {
    return fail(ErrorKind::not_found,
                fmt::format("{} is neither a process nor a file: a target is a process id, the name "
                            "of a running program, or a core file",
                            printable(argument)));
  }
  return open_core(argument, executable);
}

}  // namespace culprit
