// The blocks of memory that live at one moment in one address space: by address, in one flat table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "model/ids.h"

namespace culprit {

struct LiveBlock {
  uint64_t address = 0;
  uint64_t size = 0;
  Time made = 0;
  uint32_t group = 0;   // as its user counts
  uint32_t thread = 0;  // likewise
  uint32_t order = 0;   // of the thread's allocations
};

class LiveBlocks {
 public:
  // nullopt, or the block that was thought to live there.
  std::optional<LiveBlock> put(const LiveBlock& block);
  std::optional<LiveBlock> take(uint64_t address);

  const LiveBlock* find(uint64_t address) const;  // null: none begins there
  // A hint that put() or take() of that address come soon.
  void fetch(uint64_t address) const {
    if (!slots_.empty()) __builtin_prefetch(&slots_[home_of(address)], 1);
  }

  size_t size() const { return count_; }
  size_t memory() const { return slots_.size() * sizeof(LiveBlock); }
  void clear();

  template <typename Visit>
  void for_each(Visit visit) const {
    for (const LiveBlock& slot : slots_)
      if (slot.address != 0) visit(slot);
  }

 private:
  size_t home_of(uint64_t address) const { return (address * 0x9e3779b97f4a7c15) >> shift_; }
  size_t next(size_t index) const { return (index + 1) & (slots_.size() - 1); }
  void grow();

  std::vector<LiveBlock> slots_;  // a power of two, linear probing; address 0: free
  size_t count_ = 0;
  int shift_ = 64;
};

}  // namespace culprit
