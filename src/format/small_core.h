// Which part of a core is worth keeping, decided from its beginning alone: so that a core of any size can be cut down
// while it comes out of a pipe.
//
// A small core is a core. What it leaves out it still claims to store, behind the end of its file: whoever reads it
// sees a core that is cut off there, takes nothing in its place, and tells how much is missing.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace culprit {

struct SmallCoreWish {
  uint64_t most_bytes = uint64_t{48} << 20;  // of memory; the notes come on top
};

struct SmallCorePlan {
  struct Piece {
    uint64_t from = 0, size = 0;  // in the original; what is between the pieces is left out
    uint64_t to = 0;              // in the small core
  };
  std::vector<std::byte> head;  // of the small core: headers and notes
  std::vector<Piece> pieces;    // ascending, both ways
  uint64_t size = 0;            // of the small core
  uint64_t left_out = 0;        // bytes of memory
  uint64_t original_size = 0;   // as far as the headers tell
};

// How many bytes of a core have to be known for a plan, from as many as there are: all up to the first memory. The
// answer may grow as more becomes known, and is final once it is not larger than what there is. Errors: corrupt (no
// core), unsupported (32-bit, or more than 65,534 mappings), limit (more notes than `most`).
Result<uint64_t> head_size_of_core(Bytes beginning, uint64_t most = uint64_t{96} << 20);

// Kept are, as long as there is room: the stack of the thread that died and the upper ends of the others, what lies
// around the addresses in its registers, then whole mappings, the smallest first.
Result<SmallCorePlan> plan_small_core(Bytes head, const SmallCoreWish& wish);

}  // namespace culprit
