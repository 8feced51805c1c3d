// The beginnings of an allocator's functions in a process that runs already: they become jumps to the agent's doors
// (struct culprit_heap_gate) while memory is recorded. Nothing here changes code.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "capture/moved_entry.h"
#include "capture/stub_moves.h"
#include "capture/victim_code.h"
#include "target/victim_memory.h"
#include "wire/agent_attach.h"

namespace culprit {

struct AllocatorEntry {
  uint64_t start = 0;                           // absolute
  std::array<std::byte, jump_size> original{};  // as its file has it
  uint64_t file_address = 0;                    // link-time
  uint64_t size = 0;                            // of the function; 0: not known
  const VictimCode::AllocatorFile* file = nullptr;
  bool has_operators = false;  // its file has an operator new of its own, which need not come down to malloc
};

// All that might have been patched, in every library that has an allocator.
std::vector<AllocatorEntry> find_allocator_entries(const VictimCode& code);

// One that is to become a jump, and what it takes.
struct EntryPatch {
  culprit_allocator_function function = CULPRIT_MALLOC;
  AllocatorEntry entry;
  MovedEntry moved;   // for `room`
  uint64_t room = 0;  // absolute
  uint64_t door = 0;  // absolute: where the jump leads
};

// `functions`: by enum culprit_allocator_function, what the process calls; 0: it has none. Ascending, each address
// once. Errors: unsupported (code that cannot be moved; something else has changed it, such as a breakpoint).
Result<std::vector<EntryPatch>> plan_entry_patches(const VictimCode& code, VictimMemory& memory,
                                                   const uint64_t (&functions)[CULPRIT_ALLOCATOR_FUNCTIONS],
                                                   const culprit_heap_gate& gate);

// jmp from `at` to `target`, which is in reach.
std::array<std::byte, jump_size> jump_between(uint64_t at, uint64_t target);

}  // namespace culprit
