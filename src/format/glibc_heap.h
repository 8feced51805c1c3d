// glibc's malloc as it lies in the memory of an x86-64 process. Bytes in, values out: what they are if they are what
// they look like. No version is asked for; each layout is known by its consistency with itself.
//
// Source: malloc/malloc.c and malloc/arena.c of glibc 2.26 to 2.43. heap_info grew in 2.35; the counts of the thread
// caches became wider in 2.30, and in 2.42 they became counts of what still has room, with lists of larger blocks
// behind the others; links are protected since 2.32; fast bins, and with them 88 bytes of malloc_state, ended
// with 2.43.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"

namespace culprit {

// A chunk is a block with its header: 8 bytes that belong to the block before while that is in use, then 8 bytes with
// the size and flags. What malloc returns comes behind; it ends 8 bytes into the next chunk.
inline constexpr uint64_t chunk_alignment = 16, chunk_header = 16, least_chunk = 32, size_field = 8;

struct ChunkHead {
  uint64_t size = 0;  // of the whole chunk
  bool is_previous_in_use = false, is_mmapped = false, is_of_other_arena = false;
};

constexpr ChunkHead read_chunk_head(uint64_t word) {
  return {word & ~uint64_t{7}, (word & 1) != 0, (word & 2) != 0, (word & 4) != 0};
}

// What a block in a chunk can hold; what malloc_usable_size() says.
constexpr uint64_t usable_size(const ChunkHead& head) {
  const uint64_t overhead = head.is_mmapped ? chunk_header : size_field;
  return head.size > overhead ? head.size - overhead : 0;
}
// What malloc_usable_size() says of a block that was asked for with this size, outside of a mapping of its own.
constexpr uint64_t usable_size_for(uint64_t requested) {
  if (requested > (uint64_t{1} << 62)) return requested;
  const uint64_t chunk = (requested + size_field + chunk_alignment - 1) & ~(chunk_alignment - 1);
  return (chunk < least_chunk ? least_chunk : chunk) - size_field;
}

// An arena. All addresses are claims.
struct MallocState {
  static constexpr size_t most_bytes = 2200, fast_count = 10, bin_count = 127;

  struct Bin {
    uint64_t head = 0;  // its own address, seen as a chunk: an empty bin points there
    uint64_t first = 0, last = 0;
    bool is_empty() const { return first == head && last == head; }
  };

  uint64_t address = 0, size = 0;           // size: bytes that it takes
  bool is_locked = false;                   // somebody is at work in it (a process with one thread does not lock)
  bool is_contiguous = false;               // of the main arena: all its memory is one piece
  std::array<uint64_t, fast_count> fast{};  // chunks; the links between them are protected; since 2.43 none
  uint64_t top = 0;                         // chunk; not a real one while initial_top()
  std::array<Bin, bin_count> bins{};
  uint64_t next = 0;  // arena: a ring
  uint64_t attached_threads = 0;
  uint64_t system_bytes = 0, most_system_bytes = 0;  // got from the kernel

  bool has_no_memory() const { return top == bins[0].head; }
};

// Nothing: these bytes are none. A few of the bins may be damaged.
std::optional<MallocState> read_malloc_state(Bytes bytes, uint64_t address);
// All places at which one could lie, ascending.
std::vector<MallocState> find_malloc_states(Bytes bytes, uint64_t start);

// The beginning of a piece of memory of an arena that is not the main one.
struct HeapInfo {
  uint64_t arena = 0, previous = 0;
  uint64_t size = 0, most_size = 0;  // in use from its beginning; ever made accessible
};
inline constexpr uint64_t heap_info_size = 32;  // as much as is read of it
std::optional<HeapInfo> read_heap_info(Bytes bytes);

// Freed blocks that a thread keeps for itself: lists by size.
struct ThreadCache {
  static constexpr size_t small_lists = 64, most_lists = 76;

  size_t lists = 0;  // small_lists, since 2.42 most_lists
  std::array<uint16_t, most_lists> counts{};
  std::array<uint64_t, most_lists> entries{};  // blocks, not chunks
  bool is_changing = false;  // one list has blocks where its count says none, or none where it says some

  // Of the chunks in a list: the first lists are for one size each.
  struct Sizes {
    uint64_t least = 0, most = 0;
    constexpr bool hold(uint64_t size) const { return size >= least && size <= most && size % chunk_alignment == 0; }
  };
  static constexpr Sizes sizes_of(size_t list) {
    constexpr uint64_t last_small = least_chunk + (small_lists - 1) * chunk_alignment;
    if (list < small_lists) return {least_chunk + list * chunk_alignment, least_chunk + list * chunk_alignment};
    const uint64_t least = uint64_t{1024} << (list - small_lists);
    return {list == small_lists ? last_small + chunk_alignment : least, 2 * least - chunk_alignment};
  }
  bool is_empty() const;
};
// The sizes of chunks in which one may lie.
constexpr std::array<uint64_t, 3> thread_cache_chunks = {0x250, 0x290, 0x300};
// From the contents of its block; nothing: it is none.
std::optional<ThreadCache> read_thread_cache(uint64_t chunk_size, Bytes block);

// A link between free blocks. `position`: of the link itself. Since 2.32 it is stored xor-ed with that.
constexpr uint64_t reveal_link(uint64_t position, uint64_t stored, bool is_protected) {
  return is_protected ? stored ^ (position >> 12) : stored;
}

// What malloc keeps for all arenas.
struct MallocParameters {
  uint64_t mmapped_blocks = 0, mmapped_bytes = 0;
  uint64_t heap_start = 0;  // the first address that sbrk() gave; 0: it has not been asked
};
// `heap_start`: where the heap seems to begin.
std::optional<MallocParameters> find_malloc_parameters(Bytes bytes, uint64_t heap_start);

}  // namespace culprit
