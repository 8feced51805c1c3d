// Where glibc's heap lies in a target: its arenas, the pieces of memory in which their blocks lie one after the other,
// blocks with mappings of their own, and the lists of freed blocks. Needs no symbols.
//
// Addresses of chunks, not of blocks, unless said otherwise (format/glibc_heap.h).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "analysis/heap_block.h"
#include "base/result.h"
#include "format/glibc_heap.h"
#include "target/target.h"

namespace culprit {

// One stretch of chunks, from the first to behind the last.
struct HeapRegion {
  uint64_t start = 0, end = 0;
  uint64_t reserved_end = 0;  // address space that is kept for it to grow into; `end`: none
  uint64_t base = 0;          // of the piece of memory, headers and all: at or before `start`
  uint32_t arena = 0;         // index into HeapLayout::arenas
};

struct HeapArena {
  MallocState state;
  // A thread seemed to be at work in it: what is inconsistent here may just be under change.
  bool is_busy = false;
};

struct MmappedChunk {
  uint64_t chunk = 0, size = 0;  // from `chunk` to the end of the mapping, which may begin before
  uint64_t mapping_start = 0;
  uint64_t usable = 0;  // what its block can hold

  uint64_t mapped_bytes() const { return chunk - mapping_start + size; }
};

// A chunk that looks in use where it lies, and is kept free in a list.
enum class FreeListKind : uint8_t { thread_cache, fast_bin };
struct ListedChunk {
  uint64_t chunk = 0;
  FreeListKind kind = FreeListKind::thread_cache;
};

struct HeapThreadCache {
  uint64_t block = 0;    // where it lies
  uint32_t tid = 0;      // whose it is; 0: not known
  bool is_busy = false;  // its thread was at work in it
};

struct HeapLayout {
  std::vector<HeapArena> arenas;      // the main one first
  std::vector<HeapRegion> regions;    // ascending, apart from each other
  std::vector<MmappedChunk> mmapped;  // ascending
  std::vector<HeapThreadCache> caches;
  std::vector<ListedChunk> listed;             // ascending, each once
  std::optional<MallocParameters> parameters;  // nothing: not found
  std::vector<HeapBreak> breaks;               // of lists and arenas; those between chunks are found by walking
  std::vector<std::string> notes;              // what is not known, sentences
  bool is_moving = false;  // the target runs: what does not fit together is read again, and is not called damage
  // From the parameters: how many blocks with mappings of their own were not found. More than there are: none.
  uint64_t missing_mmapped() const {
    return parameters && parameters->mmapped_blocks > mmapped.size() ? parameters->mmapped_blocks - mmapped.size() : 0;
  }
  bool is_unused() const { return regions.empty() && mmapped.empty(); }
  const HeapRegion* region_at(uint64_t address) const;     // null: none
  const MmappedChunk* mmapped_at(uint64_t address) const;  // null: none
};

// `threads`: with all registers, where they are known. While the target runs the result may not fit together: stop it
// before. not_found: there is no heap of glibc's malloc (yet).
Result<HeapLayout> find_heap(Target& target, std::span<const TargetThread> threads);
// In a copy of its memory.
Result<HeapLayout> find_heap(Target& target, MemoryReader& memory, std::span<const TargetThread> threads);

}  // namespace culprit
