// The steps of find_heap(), which share what they have found so far.
#pragma once

#include <span>

#include "analysis/heap_layout.h"

namespace culprit {

struct HeapSearch {
  Target& target;
  MemoryReader& memory;
  std::span<const TargetThread> threads;
  HeapLayout layout;
  const TargetModule* libc = nullptr;  // the module that has the main arena: libc, or a static program
  std::vector<std::byte> libc_data;    // of the mapping that has it
  uint64_t other_arenas_header = 0;    // of the pieces of memory of arenas that are not the main one; 0: there are none

  bool has_died() const;
  // Somebody who stands in libc with the address of an arena or a cache in a register is probably at work in it: a
  // process of one thread takes no lock, and a cache has none.
  bool is_at(const TargetThread& thread, uint64_t address) const;
  void add_break(uint64_t chunk, uint32_t arena, std::string what, bool is_busy = false) {
    layout.breaks.push_back({.chunk = chunk,
                             .arena = arena,
                             .is_under_change = is_busy || layout.arenas[arena].is_busy,
                             .what = std::move(what)});
  }
};

// The main arena and the ring of all others. False: there is none.
bool find_arenas(HeapSearch& search);
void find_regions(HeapSearch& search);
void find_mmapped_chunks(HeapSearch& search);
// Thread caches and fast bins, and whether the ends of the bins fit.
void find_free_lists(HeapSearch& search);

// Private memory that may be written and is of no file.
inline bool is_plain_memory(const TargetMapping& mapping) {
  return mapping.is_readable && mapping.is_writable && !mapping.is_shared &&
         (mapping.path.empty() || mapping.path == "[heap]");
}

}  // namespace culprit
