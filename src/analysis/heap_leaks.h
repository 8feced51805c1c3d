// Leaked blocks, grouped: by class those that are C++ objects, by size the others.
#pragma once

#include "analysis/block_table.h"
#include "analysis/heap_report.h"
#include "analysis/heap_roots.h"
#include "analysis/heap_types.h"
#include "model/memory_reader.h"

namespace culprit {

// What was found at one moment. All must outlive the call.
struct LeakScene {
  Target& target;
  MemoryReader& memory;
  const BlockTable& blocks;  // in use, finished
  const BlockTable& free_blocks;
  const HeapRoots& roots;
};

// At most `most_groups`, those with most bytes behind them.
UnreachableReport find_leaks(const LeakScene& scene, HeapTypes& types, size_t most_groups);

}  // namespace culprit
