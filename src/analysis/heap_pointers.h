// Who points to a block.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "analysis/heap_block.h"
#include "target/target.h"

namespace culprit {

struct FoundPointer {
  uint64_t at = 0;  // where it lies
  uint64_t value = 0;
};
struct FoundPointers {
  std::vector<FoundPointer> pointers;  // ascending
  uint64_t left_out = 0;
};

// All words in memory that may be written which lead into [start, end). At most `most` are kept.
FoundPointers find_pointers_into(Target& target, AddressRange block, size_t most);

}  // namespace culprit
