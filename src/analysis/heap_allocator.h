// Whose malloc a target uses.
#pragma once

#include <string>

#include "target/target.h"

namespace culprit {

struct HeapAllocator {
  std::string name;              // "jemalloc", "musl", "AddressSanitizer"; empty: no other than glibc's is known
  bool can_be_recorded = false;  // by `culprit run --heap`

  bool is_foreign() const { return !name.empty(); }
  // For who asks about its blocks: "`culprit run --heap …` records who allocates them".
  std::string what_is_left() const;
};

// By the names of modules, by what the program itself exports and says, and by what lies in its memory.
// `has_glibc_heap`: a heap of glibc's malloc was found in it.
HeapAllocator allocator_of(Target& target, bool has_glibc_heap);

}  // namespace culprit
