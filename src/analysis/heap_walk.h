// One chunk after the other: every block of a heap with its size and state, in the order of addresses.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "analysis/heap_layout.h"
#include "analysis/memory_window.h"

namespace culprit {

// Called with each block and its first bytes, 16 or all that it has; empty: they cannot be read. False: no more is
// wanted.
using HeapVisitor = std::function<bool(const HeapBlock&, Bytes first)>;

// A place in a walk: behind a block.
struct HeapWalkPlace {
  size_t piece = 0;  // region, or block with its own mapping: one after the other
  std::optional<HeapBlock> last;
};

struct HeapWalkResult {
  std::vector<HeapBreak> breaks;  // in the order of the walk; only so many of a region
  uint64_t breaks_left_out = 0;
  uint64_t walked_bytes = 0;              // of regions
  uint64_t skipped_bytes = 0;             // of which nothing is known
  uint64_t foreign_bytes = 0;             // within the main heap, got by others through sbrk()
  std::optional<HeapWalkPlace> left_off;  // where no more was wanted; nothing: all was walked

  void add(HeapWalkResult more);  // which went on where this one was left off
};

// `memory`: of the target from which `layout` was made, at the same moment.
// `from`: where an earlier walk was left off; else all.
HeapWalkResult walk_heap(const HeapLayout& layout, MemoryReader& memory, const HeapVisitor& visit,
                         const HeapWalkPlace& from = {});
HeapBlock block_of(const MmappedChunk& chunk);
// One region only: without the blocks that have mappings of their own.
HeapWalkResult walk_region(const HeapLayout& layout, const HeapRegion& region, MemoryReader& memory,
                           const HeapVisitor& visit);

}  // namespace culprit
