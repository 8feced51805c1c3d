// Where pointers to blocks may lie that keep them alive: variables, stacks, registers, thread-local variables, and
// whatever else may be written and is no heap.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "analysis/heap_layout.h"
#include "target/target.h"

namespace culprit {

// Memory whose pointers keep nothing alive: what is below a stack pointer, stacks of threads that have ended.
struct DeadMemory {
  AddressRange range;
  uint32_t tid = 0;  // whose stack; 0: of one that has ended
};

struct HeapRoots {
  std::vector<AddressRange> ranges;  // ascending, apart from each other
  std::vector<uint64_t> registers;   // of all threads
  std::vector<DeadMemory> dead;
  uint64_t bytes() const;
};

// At the moment at which `layout` and `threads` were taken. `memory`: of that moment.
HeapRoots find_heap_roots(Target& target, MemoryReader& memory, const HeapLayout& layout,
                          std::span<const TargetThread> threads);

}  // namespace culprit
