// A piece of a target's memory, parts of which may not be there.
#pragma once

#include <cstdint>
#include <vector>

#include "model/memory_reader.h"

namespace culprit {

struct MemoryPiece {
  uint64_t start = 0;
  std::vector<std::byte> bytes;
  std::vector<bool> known;  // for each byte

  bool is_known(size_t offset, size_t size) const {
    for (size_t i = offset; i < offset + size; ++i)
      if (i >= known.size() || !known[i]) return false;
    return size != 0;
  }
  // `size` bytes at `offset`, which must be known, little-endian.
  uint64_t number(size_t offset, size_t size) const {
    uint64_t value = 0;
    memcpy(&value, bytes.data() + offset, size);
    return value;
  }
};

// Cut off at the end of the address space.
MemoryPiece read_memory_piece(MemoryReader& memory, uint64_t start, size_t size);

}  // namespace culprit
