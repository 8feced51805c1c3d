// Which blocks nothing points to. A word that lies at a multiple of 8 bytes and is an address in a block is taken for a
// pointer to it, wherever it leads into: so low bits may be tagged, and arrays may keep their count in front.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "analysis/block_table.h"
#include "analysis/heap_roots.h"
#include "model/memory_reader.h"

namespace culprit {

enum class Reach : uint8_t {
  unknown,
  reachable,
  direct,    // nothing points to it; or it is one of a ring of blocks to which nothing else points
  indirect,  // only leaked blocks do
};

struct Reachability {
  std::vector<Reach> reach;  // of each block of the table
  // Of direct ones: what is reached from it, and from no direct one before it. Index: of the table.
  struct Behind {
    uint32_t block = 0;
    uint64_t blocks = 0, bytes = 0;
  };
  std::vector<Behind> direct;  // ascending by block
  struct Indirect {
    uint32_t block = 0, owner = 0;  // owner: the direct one behind which it is counted
  };
  std::vector<Indirect> indirect;  // ascending by block
};

// In two parts, as roots are read once, one after the other, and blocks in any order: who has the target stand still
// may read the roots where they lie, and needs no copy of them.
class ReachabilitySearch {
 public:
  // `blocks`: finished; must outlive it. All memory is of the same moment as they are.
  explicit ReachabilitySearch(const BlockTable& blocks);
  ~ReachabilitySearch();

  // How many of their bytes could not be read. Where it matters that these are all, what only they led to is no leak.
  uint64_t take_roots(MemoryReader& memory, const HeapRoots& roots);
  // Once. `memory`: has the blocks.
  Reachability finish(MemoryReader& memory);

 private:
  class Marker;
  std::unique_ptr<Marker> marker_;
};

// Both parts in the same memory.
Reachability find_unreachable(MemoryReader& memory, const BlockTable& blocks, const HeapRoots& roots);

}  // namespace culprit
