// How many handles there are, without looking at each.
#pragma once

#include <cstdint>
#include <optional>

namespace culprit {

// Of a process; nullopt: it is gone, or another user's.
std::optional<uint64_t> count_handles(uint32_t pid);

// Of the whole machine: open files, and the most there may be (/proc/sys/fs/file-nr).
struct MachineFiles {
  uint64_t open = 0, most = 0;
};
std::optional<MachineFiles> machine_files();

}  // namespace culprit
