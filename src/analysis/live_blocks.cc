#include "analysis/live_blocks.h"

#include <bit>
#include <utility>

namespace culprit {

void LiveBlocks::grow() {
  std::vector<LiveBlock> old = std::move(slots_);
  slots_.assign(old.empty() ? 1024 : old.size() * 2, LiveBlock{});
  shift_ = 64 - std::countr_zero(slots_.size());
  for (const LiveBlock& block : old) {
    if (block.address == 0) continue;
    size_t index = home_of(block.address);
    while (slots_[index].address != 0) index = next(index);
    slots_[index] = block;
  }
}

std::optional<LiveBlock> LiveBlocks::put(const LiveBlock& block) {
  if (block.address == 0) return {};
  if ((count_ + 1) * 8 > slots_.size() * 5) grow();
  size_t index = home_of(block.address);
  while (slots_[index].address != 0 && slots_[index].address != block.address) index = next(index);
  if (slots_[index].address != 0) return std::exchange(slots_[index], block);
  slots_[index] = block;
  ++count_;
  return {};
}

const LiveBlock* LiveBlocks::find(uint64_t address) const {
  if (address == 0 || slots_.empty()) return nullptr;
  size_t index = home_of(address);
  while (slots_[index].address != address) {
    if (slots_[index].address == 0) return nullptr;
    index = next(index);
  }
  return &slots_[index];
}

std::optional<LiveBlock> LiveBlocks::take(uint64_t address) {
  if (address == 0 || slots_.empty()) return {};
  size_t hole = home_of(address);
  while (slots_[hole].address != address) {
    if (slots_[hole].address == 0) return {};
    hole = next(hole);
  }
  const LiveBlock taken = slots_[hole];
  // What stands behind the hole and would not be found across it moves into it.
  for (size_t index = next(hole); slots_[index].address != 0; index = next(index)) {
    const size_t mask = slots_.size() - 1, home = home_of(slots_[index].address);
    if (((index - home) & mask) < ((index - hole) & mask)) continue;
    slots_[hole] = slots_[index];
    hole = index;
  }
  slots_[hole] = LiveBlock{};
  --count_;
  return taken;
}

void LiveBlocks::clear() {
  slots_.clear();
  count_ = 0;
  shift_ = 64;
}

}  // namespace culprit
