// What a process has and may have: handles, memory, and what its control group grants. While it is there.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace culprit {

struct ProcessUse {
  std::optional<double> seconds, machine_seconds;  // since the process, and since the machine began

  std::map<std::string, uint64_t> handles;  // by type
  uint64_t handle_count = 0;
  std::optional<uint64_t> handle_limit;  // soft RLIMIT_NOFILE; nothing: unlimited, or not known

  // Bytes. Nothing: not known; of limits also: there is none. The address space is the program's own: what culprit
  // shares with it is not counted.
  std::optional<uint64_t> resident, most_resident, swapped, address_space;
  std::optional<uint64_t> address_space_limit, data_limit;  // soft RLIMIT_AS, RLIMIT_DATA

  std::string cgroup;                                   // that has the limit of memory; empty: not known
  std::optional<uint64_t> cgroup_memory, cgroup_limit;  // bytes
  std::optional<uint64_t> oom_kills;                    // processes of the group that were killed for want of memory
  std::optional<uint64_t> cgroup_processes, process_limit;  // of the group

  // As good as no new handle can be made: EMFILE.
  bool handles_are_full() const { return handle_limit && handle_count >= *handle_limit; }
  bool is_near(std::optional<uint64_t> used, std::optional<uint64_t> limit) const {
    return used && limit && *used >= *limit - *limit / 50;
  }
};

// Empty where the process is gone or another user's.
ProcessUse look_at_use(uint32_t pid);

}  // namespace culprit
