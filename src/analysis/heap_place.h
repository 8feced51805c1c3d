// What lies at an address of the heap: for who asks about one pointer.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "analysis/heap_walk.h"

namespace culprit {

struct HeapPlace {
  // Nothing: not in a block. In the header before a block: that block, with `offset` negative.
  std::optional<HeapBlock> block;
  int64_t offset = 0;                      // of the address from the block's beginning
  std::optional<HeapBlock> before, after;  // its neighbours, or those around the address
  // Damage in the same region, nearest to the address: the block before it was probably written beyond its end.
  std::optional<HeapBreak> nearest_break;
};

// Nothing: the address does not belong to the heap. Walks one region: up to 64 MB, of the main arena all of it.
std::optional<HeapPlace> place_in_heap(const HeapLayout& layout, MemoryReader& memory, uint64_t address);

}  // namespace culprit
