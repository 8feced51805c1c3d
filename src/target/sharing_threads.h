// Which thread owns a lock in memory that processes share, where only what its process calls it is known.
#pragma once

#include <cstdint>
#include <vector>

namespace culprit {

struct SharingThread {
  uint32_t pid = 0, tid = 0;  // as we see them
};

struct SharingSearch {
  std::vector<SharingThread> threads;
  bool are_all_known = true;  // the mappings of every other process could be read
};

// The threads that call themselves `own_number` in the processes which map the same piece of a file, or of shared
// memory, as this one does at this address; without its own threads. Looks at every process of the machine.
SharingSearch find_sharing_threads(uint32_t pid, uint64_t address, uint32_t own_number);

}  // namespace culprit
