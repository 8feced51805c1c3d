#include "shell/target_argument.h"

#include <fmt/core.h>
#include <unistd.h>

#include <filesystem>

#include "base/regular_file.h"
#include "base/syscall.h"
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

void tell_of_unused(Target& target, const std::string& executable, const Streams& streams) {
  if (executable.empty()) return;
  for (const TargetModule& module : target.modules()) {
    if (module.module.path != target.info().executable || module.opened_path.empty()) continue;
    std::error_code error;
    if (std::filesystem::equivalent(module.opened_path, executable, error)) return;
    auto mapping = map_regular_file(executable);
    auto elf = mapping ? parse_elf(mapping->bytes()) : tl::unexpected<Error>(mapping.error());
    std::string why =
        elf ? fmt::format("is another build ({})", elf->build_id().empty() ? "no build id" : elf->build_id())
            : "cannot be read (" + elf.error().what + ")";
    static_cast<void>(write_all(
        streams.errors,
        fmt::format("culprit: {} {}, the core's program is {}: it was not used, {} was\n", printable(executable),
                    printable(why), module.module.build_id, printable(module.opened_path))));
    return;
  }
}

}  // namespace culprit
