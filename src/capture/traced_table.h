// A handle table of traced processes, as far as it matters to understand their calls. Processes may share one.
#pragma once

#include <cstdint>
#include <unordered_set>
#include <vector>

#include "model/handle_event.h"

namespace culprit {

struct TracedTable {
  std::unordered_set<int32_t> fanotify;  // whose reads make handles

  // Handles are made without a call for each (io_uring, seccomp): the table is compared with what events have told.
  bool is_compared = false;
  std::vector<bool> open;  // if so, by number
  // Found by comparing while others were at work: one of them may be about to tell that it made it.
  struct Doubtful {
    HandleEvent event;
    Time until = 0;
  };
  std::vector<Doubtful> doubtful;

  // An event told that these numbers are in use, or no longer.
  void note(int32_t first, int32_t last, bool is_open);
};

// Of a thread's table: the numbers in use, ascending; empty if they cannot be read.
std::vector<int32_t> open_numbers(uint32_t tid);
bool is_open(uint32_t tid, int32_t number);

}  // namespace culprit
