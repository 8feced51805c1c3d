// Finds a thread of a process that can be borrowed, and borrows it.
#pragma once

#include <functional>

#include "capture/borrowed_thread.h"
#include "capture/victim_code.h"

namespace culprit {

struct TouchedProcess {
  uint32_t pid = 0;
  VictimMemory memory;
  const VictimCode& code;
  Time longest_stop = 0;  // so far, of any of its threads
};

// Runs `work` once, with one of the threads; the others run on. Errors: those of `work`; limit (none can be borrowed),
// gone, no_access.
Result<void> with_borrowed_thread(TouchedProcess& victim, const std::function<Result<void>(BorrowedThread&)>& work);

}  // namespace culprit
