// Blocks by address: which one holds an address, in a few steps, for many millions of them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace culprit {

class BlockTable {
 public:
  struct Block {
    uint64_t address = 0, size = 0;

    uint64_t end() const { return address + size; }
  };
  static constexpr uint32_t none = UINT32_MAX;

  // In any order; quick where it ascends. Blocks do not overlap. At most 4 thousand millions.
  void add(uint64_t address, uint64_t size) {
    if (blocks_.size() < none) blocks_.push_back({address, size});
  }
  // Before any question.
  void finish();

  uint32_t size() const { return static_cast<uint32_t>(blocks_.size()); }
  const Block& operator[](uint32_t index) const { return blocks_[index]; }
  // The block with this address in it; none: there is none.
  uint32_t holding(uint64_t address) const {
    if (address < least_ || address >= most_) return none;
    return search(address);
  }

 private:
  // Blocks that lie close together, with the number of the first one that begins in each page or later.
  struct Run {
    uint64_t start = 0, end = 0;
    size_t first_page = 0;  // index into first_
    uint64_t pages = 0;
    uint32_t blocks_end = 0;  // index into blocks_
  };
  struct Gap {
    uint64_t start = 0, end = 0;
  };
  uint32_t search(uint64_t address) const;

  std::vector<Block> blocks_;
  std::vector<Run> runs_;
  std::vector<uint32_t> first_;
  uint64_t least_ = UINT64_MAX, most_ = 0;
  mutable size_t last_run_ = 0;
  mutable Gap gap_;  // the last one that was met
};

}  // namespace culprit
