// System calls made by a stopped thread of another process for us. At every moment the thread can also go on without
// us: the call is made on top of a signal frame that holds all of the thread's state, and returns into rt_sigreturn.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "format/procfs.h"
#include "target/victim_memory.h"

namespace culprit {

// Code of the process that such calls need: `syscall; ret`, and one that calls rt_sigreturn.
struct CallEntries {
  uint64_t syscall_return = 0, sigreturn = 0;
};
// Searched for in all that is executable; nothing: there is no such code.
std::optional<CallEntries> find_call_entries(std::span<const MapsEntry> maps, MemoryReader& memory);

// The thread must be stopped, traced by the calling thread, have no signal about to be delivered, and is again stopped
// as it was afterwards. -errno when the call fails. Errors: gone, limit (its stack has no room).
Result<int64_t> call_in_thread(uint32_t tid, VictimMemory& memory, const CallEntries& entries, uint64_t number,
                               const std::array<uint64_t, 6>& arguments);

}  // namespace culprit
