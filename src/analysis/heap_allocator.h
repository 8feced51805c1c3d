// Whose malloc a target uses.
#pragma once

#include <string>

#include "target/target.h"

namespace culprit {

struct HeapAllocator {
  std::string name;  // "jemalloc", "musl", "AddressSanitizer"; empty: glibc's, as far as can be told
  std::string note;  // what that means for who asks, one sentence
};

// By the names of modules, and by what the program itself exports and says.
HeapAllocator allocator_of(Target& target);

}  // namespace culprit
