// Whether the free blocks in the bins of an arena lead to each other and back.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "analysis/heap_layout.h"

namespace culprit {

// A free chunk as it lies in a bin. All but its own address are claims.
struct FreeLinks {
  uint64_t chunk = 0, next = 0, previous = 0;
  uint32_t arena = 0;
};

// Where a block leads to what does not lead back: a loop in a bin, or another overwritten link. `all`: ascending by
// chunk. `is_complete`: every chunk of the heap was walked; else what leads to none of these may lead to one that was
// not. At most `most`.
std::vector<HeapBreak> check_links(const HeapLayout& layout, std::span<const FreeLinks> all, bool is_complete,
                                   size_t most);

// Arenas with blocks that are free, and to which no bin leads: what was unlinked from it, by whoever wrote there. Not
// of arenas of which `breaks` has something, as their bins are known to lead elsewhere. `all`: of the whole heap.
std::vector<HeapBreak> find_unlisted(const HeapLayout& layout, std::span<const FreeLinks> all,
                                     std::span<const HeapBreak> breaks);

// The blocks around breaks that were not found by walking. Walks the heap if there are any.
void find_neighbours(const HeapLayout& layout, MemoryReader& memory, std::span<HeapBreak> breaks);

}  // namespace culprit
