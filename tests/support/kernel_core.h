// Cores as the kernel leaves them, of programs that a test runs.
#pragma once

#include <sys/resource.h>

#include <filesystem>
#include <string>

#include "support/run_culprit.h"

namespace culprit::test {

// Where the kernel writes a core of a process that is started in `folder`; empty: to no plain file there.
inline std::string kernels_core(const std::string& folder, pid_t pid) {
  std::string pattern = contents("/proc/sys/kernel/core_pattern");
  if (pattern != "core\n") return "";
  return folder + (contents("/proc/sys/kernel/core_uses_pid") == "1\n" ? "/core." + std::to_string(pid) : "/core");
}

inline bool may_leave_cores() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max >= (rlim_t{1} << 30);
}

inline bool kernel_leaves_cores() { return may_leave_cores() && !kernels_core("", 1).empty(); }

// In the child, before exec.
inline void allow_core() {
  rlimit all{};
  ::getrlimit(RLIMIT_CORE, &all);
  all.rlim_cur = all.rlim_max;
  ::setrlimit(RLIMIT_CORE, &all);
}

// Of a program that dies; empty: it left none.
inline std::string core_of(const Words& command, const TemporaryFolder& folder) {
  std::filesystem::remove(folder / "core");
  Running victim(command, {.directory = folder.path(), .in_child = allow_core});
  std::string core = kernels_core(folder.path(), victim.pid());
  victim.wait();
  return std::filesystem::exists(core) ? core : "";
}

}  // namespace culprit::test
