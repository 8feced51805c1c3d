// A block of glibc's heap, and what is found where the heap is damaged.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "format/glibc_heap.h"

namespace culprit {

enum class HeapBlockState : uint8_t {
  in_use,
  cached,  // free, kept by a thread for itself
  fast,    // free, in a fast bin
  free,    // in a bin
  top,     // the rest of an arena's memory
};
inline constexpr size_t heap_block_state_count = 5;

struct HeapBlock {
  uint64_t address = 0;     // what malloc returned
  uint64_t size = 0;        // what it can hold, as malloc_usable_size() says
  uint64_t chunk_size = 0;  // with its header
  HeapBlockState state = HeapBlockState::in_use;
  bool is_mmapped = false;  // it has a mapping of its own
  uint32_t arena = 0;       // index into HeapLayout::arenas; of one with its own mapping: 0

  uint64_t chunk() const { return address - chunk_header; }
  bool is_in_use() const { return state == HeapBlockState::in_use; }

  bool operator==(const HeapBlock&) const = default;
};

// Where something is not as it must be.
struct HeapBreak {
  uint64_t chunk = 0;  // with that header, or the address that should be a chunk's
  uint32_t arena = 0;
  bool is_under_change = false;     // a thread was at work in this arena: it may be no damage
  std::string what;                 // one sentence, printable
  std::optional<HeapBlock> before;  // the last block in order before it
  std::optional<HeapBlock> after;   // the first one in order behind it; nothing: the rest could not be walked
  uint64_t skipped = 0;             // bytes of which nothing is known
};

}  // namespace culprit
