#include "analysis/memory_window.h"

#include <algorithm>

namespace culprit {

bool MemoryWindow::fill(uint64_t address, uint64_t size) {
  start_ = address;
  filled_ = memory_.read(address, std::span(bytes_).first(size)) ? size : 0;
  return filled_ != 0;
}

const std::byte* MemoryWindow::move(uint64_t address, uint64_t size, uint64_t end) {
  if (end < address || size > end - address || size > most_at_once) return nullptr;
  const bool goes_on = address >= start_ && address - start_ <= filled_ + smallest;
  step_ = goes_on ? std::min(step_ * 2, largest) : smallest;
  const uint64_t wanted = std::min(std::max(step_, size), end - address);
  if (fill(address, wanted)) return bytes_.data();
  // Part of it is not there: as much as shares a page with what was asked for.
  constexpr uint64_t page = 4096;
  const uint64_t least = std::min(wanted, (address % page + size + page - 1) / page * page - address % page);
  return (least < wanted && fill(address, least)) || fill(address, size) ? bytes_.data() : nullptr;
}

Bytes MemoryWindow::from(uint64_t address, uint64_t end) {
  if (end <= address) return {};
  const std::byte* bytes = at(address, std::min<uint64_t>(end - address, 8), end);
  if (bytes == nullptr) return {};
  return {bytes, static_cast<size_t>(std::min(filled_ - (address - start_), end - address))};
}

}  // namespace culprit
