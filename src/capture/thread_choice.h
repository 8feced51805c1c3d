// Finds a thread of a process that can be borrowed, and borrows it.
#pragma once

#include <functional>

#include "capture/borrowed_thread.h"
#include "capture/victim_code.h"

namespace culprit {

struct TouchedProcess {
  uint32_t pid = 0;
  VictimMemory memory;  // opened before `code` was read: an exec since then makes it unreadable
  const VictimCode& code;
  Time longest_stop = 0;           // so far, of any of its threads
  std::vector<TracedThread> late;  // asked to stop, and did not in time

  bool is_same_program() {
    char byte = 0;
    return memory.read_value(code.libc().dlopen, byte);
  }
};

// Runs `work` with one of the threads; the others run on. Where it fails with `limit` it is run again, on the same or
// another thread, and has to go on where it was. Errors: those of `work`; limit (none can be borrowed), gone,
// no_access.
Result<void> with_borrowed_thread(TouchedProcess& victim, const std::function<Result<void>(BorrowedThread&)>& work);

}  // namespace culprit
