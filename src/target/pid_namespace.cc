#include "target/pid_namespace.h"

#include <fmt/core.h>

#include "base/syscall.h"
#include "format/fields.h"
#include "format/procfs.h"
#include "target/ptrace_threads.h"

namespace culprit {

namespace {

std::optional<ProcessStatus> status_at(const std::string& folder) {
  auto text = read_whole_file(folder + "/status", 65536);
  return text ? parse_status(*text) : std::nullopt;
}

// The innermost namespace's comes last; before Linux 4.1 the line was not there.
uint32_t own_number(const ProcessStatus& status) {
  return status.namespaced_pids.empty() ? status.pid : status.namespaced_pids.back();
}

}  // namespace

bool has_own_numbers(uint32_t pid) {
  auto status = status_at(fmt::format("/proc/{}", pid));
  return status && status->namespaced_pids.size() > 1;
}

std::unordered_map<uint32_t, uint32_t> threads_by_own_number(uint32_t pid) {
  std::unordered_map<uint32_t, uint32_t> threads;
  for (uint32_t tid : threads_of(pid))
    if (auto status = status_at(fmt::format("/proc/{}/task/{}", pid, tid))) threads[own_number(*status)] = tid;
  return threads;
}

std::optional<uint32_t> child_by_own_number(uint32_t pid, uint32_t child) {
  for (uint32_t tid : threads_of(pid)) {
    auto text = read_whole_file(fmt::format("/proc/{}/task/{}/children", pid, tid));
    std::string_view rest = text ? std::string_view(*text) : std::string_view{};
    for (std::string_view word = take_word(rest); !word.empty(); word = take_word(rest)) {
      auto number = leading_number<uint32_t>(word);
      auto status = number ? status_at(fmt::format("/proc/{}", *number)) : std::nullopt;
      if (status && own_number(*status) == child) return *number;
    }
  }
  return {};
}

}  // namespace culprit
