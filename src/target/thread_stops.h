// Taking registers and stacks of threads that have to be stopped for it. Each stands still as shortly as can be:
// whoever has stopped is copied and let go before the next is looked at.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/result.h"
#include "target/target.h"

namespace culprit {

// Copies the stack of a thread that is stopped, whose registers are known.
using CopyStack = std::function<void(const TargetThread&)>;

// Of a thread that is stopped: also `blocked_in`.
void set_registers(TargetThread& thread, const Registers& registers);

// Sets registers, `blocked_in`, `stopped_for`; or `unknown_because` (state 'X': it is gone).
void take_by_stopping(uint32_t pid, std::span<TargetThread* const> threads, const CopyStack& copy_stack);

// What is done while all threads stand still; either may be missing.
struct WhileStopped {
  CopyStack copy_stack;       // of each
  LookAtThreads look_at_all;  // then
};
// All threads of a process at one moment, also those not in `threads` yet. An error: they did not all stop, and none
// was taken.
Result<void> take_all_at_once(uint32_t pid, std::vector<TargetThread>& threads, const WhileStopped& work);

}  // namespace culprit
