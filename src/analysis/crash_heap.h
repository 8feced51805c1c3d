// What glibc's heap has to do with a crash: memory that was used after it was freed, and damage that was done before.
#pragma once

#include <string>
#include <vector>

#include "analysis/crash_cause.h"
#include "analysis/heap_walk.h"

namespace culprit {

struct CrashHeap {
  std::vector<HeapBreak> breaks;  // where the heap is damaged; only looked for where the C library found damage
  uint64_t breaks_left_out = 0;
};

// Makes a verdict that rests on the address alone more exact, where the heap tells more. Of one that has nothing to do
// with the heap nothing is read. `threads`: of the target, with all their registers.
CrashHeap look_at_heap(CrashScene& scene, std::span<const TargetThread> threads, CrashVerdict& verdict);

}  // namespace culprit
