// The signal in whose handler a thread stands, and where that came in between.
#pragma once

#include <optional>

#include "target/target.h"
#include "unwind/unwinder.h"

namespace culprit {

struct HandledSignal {
  int32_t signal = 0, code = 0;  // 0: not known, as its handler did not ask for it (SA_SIGINFO)
  bool is_by_trap = false;  // told by the last fault of the thread alone, which need not be what the signal was for
  bool is_write = false, is_fetch = false;  // of a page fault
  uint64_t address = 0;                     // si_addr, where the code says that there is one
  uint32_t sender_pid = 0, sender_uid = 0;  // where the code says that somebody sent it
  Registers registers;                      // that the thread had
  size_t frame = 0;                         // index into the walked frames: what was interrupted
};

// The innermost one. Nothing: it stands in no handler, or what the kernel left on its stack is not there any more.
std::optional<HandledSignal> handled_signal(MemoryReader& stack, const WalkedStack& walked);

}  // namespace culprit
