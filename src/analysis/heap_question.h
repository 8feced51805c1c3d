// What can be asked about a heap.
#pragma once

#include <cstdint>
#include <optional>

#include "model/ids.h"

namespace culprit {

enum class HeapAsk : uint8_t {
  summary,      // arenas, totals, and what is no heap
  by_size,      // blocks in use by size
  by_type,      // C++ objects in use by class
  list,         // blocks one by one
  block,        // what lies at an address
  unreachable,  // blocks in use that nothing points to
};

struct HeapQuestion {
  HeapAsk ask = HeapAsk::summary;
  uint64_t address = 0;  // of `block`
  // Only blocks in use of this size, as it was asked for; or of sizes from…to, as malloc_usable_size() says.
  std::optional<uint64_t> size;
  uint64_t least = 0, most = UINT64_MAX;
  std::optional<uint64_t> arena;   // only this one, by number or address
  bool most_blocks_first = false;  // else most bytes
  bool no_stop = false;
  // A process stands still no longer than this, and a little; what was not read then is read while it runs.
  Time stop_at_most = 2'000'000'000;
  size_t kept = SIZE_MAX;  // of groups, or blocks in a list: how many are wanted
};

}  // namespace culprit
