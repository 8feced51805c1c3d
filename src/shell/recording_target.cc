#include "shell/recording_target.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/syscall.h"
#include "trace/trace_reader.h"

namespace culprit {

namespace {

// One sentence for what other targets than recordings would be, when it can be told.
std::string_view other_target(const std::string& target) {
  if (::access(target.c_str(), F_OK) != 0)
    return !target.empty() && std::ranges::all_of(target, [](char c) { return c >= '0' && c <= '9'; }) ? "a process id"
                                                                                                       : "";
  auto beginning = read_whole_file(target, 4);
  if (!beginning) return "";
  if (*beginning ==
      "\x7f"
      "ELF")
    return "a program or core file";
  if (*beginning == "MDMP") return "a minidump";
  return "";
}

}  // namespace

Result<std::unique_ptr<Trace>> open_recording_target(const std::string& target) {
  if (std::string_view other = other_target(target); !other.empty())
    return fail(
        ErrorKind::unsupported,
        fmt::format("{} is {}: this version of culprit reads recordings only (`culprit run -o FILE` makes them)",
                    target, other));
  auto trace = open_trace(target);
  if (!trace && trace.error().kind == ErrorKind::not_found && ::access((target + ".partial").c_str(), F_OK) == 0)
    return fail(ErrorKind::not_found,
                fmt::format("{} is not complete; what there is of it is in {}.partial", target, target));
  return trace;
}

bool has_many_roots(const TraceTables& tables) {
  auto is_root = [](const Process& process) { return process.parent == ProcessId::none && process.pid != 0; };
  return std::ranges::count_if(tables.processes, is_root) > 1;
}

}  // namespace culprit
