// The memory that a core has, and what files complete it with: pieces of mapped files, nothing is copied.
#pragma once

#include <cstdint>
#include <vector>

#include "model/memory_reader.h"

namespace culprit {

struct CorePiece {
  uint64_t start = 0;
  Bytes bytes;  // must outlive the memory

  uint64_t end() const { return start + bytes.size(); }
};

class CoreMemory final : public MemoryReader {
 public:
  // In any order. Where a piece overlaps others that are there, they stay; a piece that leaves the address space is
  // dropped.
  void add(std::vector<CorePiece> pieces);

  bool read(uint64_t address, std::span<std::byte> into) override;
  // What lies from an address on, up to the end of its piece; empty: nothing does.
  Bytes at(uint64_t address) const;

 private:
  std::vector<CorePiece> pieces_;  // ascending, apart from each other
  size_t last_ = 0;                // which one was read last
};

}  // namespace culprit
