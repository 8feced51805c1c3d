// Who points to a block.
#pragma once

#include <cstdint>
#include <optional>
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
  std::optional<uint64_t> left_off;  // from there on was not looked; nothing: everywhere was
};

// All words in memory that may be written which lead into [start, end). At most `most` are kept. Looks until `deadline`
// (monotonic_now()), and goes on where it was left off before, if it was.
void find_pointers_into(Target& target, AddressRange block, size_t most, Time deadline, FoundPointers& found);

}  // namespace culprit
