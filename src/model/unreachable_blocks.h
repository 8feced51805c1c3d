// Which blocks of memory nothing pointed to any more at one moment of a process: as it ended. Nobody could have used or
// released them, so they are leaks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/ids.h"

namespace culprit {

// Of many blocks there may be several, one after the other.
struct UnreachableBlocks {
  struct Block {
    uint64_t address = 0;
    bool is_indirect = false;  // only other unreachable ones point to it
    uint64_t owner = 0;        // of an indirect one: the one from which a chain of them leads to it; 0: not known

    bool operator==(const Block&) const = default;
  };

  Time time = 0;
  ProcessId process = ProcessId::none;
  std::string why_not;        // it could not be looked at, one sentence; empty: it was
  std::vector<Block> blocks;  // ascending

  bool operator==(const UnreachableBlocks&) const = default;
};

}  // namespace culprit
