// A process that is about to die of a signal, looked at while one of its threads is kept from dying.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <vector>

#include "target/target.h"

namespace culprit {

// A thread that stands still, and its registers.
struct HeldThread {
  uint32_t tid = 0;
  Registers registers;
};

// What is known of it from where it is kept.
struct Death {
  uint32_t pid = 0, tid = 0;  // the thread that the signal came to
  Registers registers;        // of that thread, as the signal found it; no segment registers: they are looked up
  std::array<std::byte, 128> info{};  // siginfo_t
  // The other threads, where who tells of the death keeps them standing; nothing: they are stopped for the look.
  std::optional<std::vector<HeldThread>> others;
};

// Called while that thread waits; the process dies when it returns.
using LookAtDeath = std::function<void(const Death&)>;

// Stops all threads and calls `look` with the process as a core of that moment would show it: the thread at the place
// of the fault, no thread running. Where threads cannot be stopped (somebody else traces them), those that wait are
// shown as they wait, and the others without a stack. Errors: gone, no_access, corrupt (no such thread or signal).
Result<void> look_at_dying(const Death& death, const std::function<void(Target&)>& look);

}  // namespace culprit
