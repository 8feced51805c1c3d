// Hands out pieces of a fixed row of items by their index, first fit.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

namespace culprit {

class RangeAllocator {
 public:
  // Items from `first` up to, not including, `end`.
  RangeAllocator(uint32_t first, uint32_t end) {
    if (first < end) free_[first] = end - first;
  }

  // Where `count` items begin; nothing: there is no such piece. count > 0.
  std::optional<uint32_t> allocate(uint32_t count) {
    for (auto piece = free_.begin(); piece != free_.end(); ++piece) {
      if (piece->second < count) continue;
      auto [first, size] = *piece;
      free_.erase(piece);
      if (size > count) free_[first + count] = size - count;
      return first;
    }
    return std::nullopt;
  }

  void release(uint32_t first, uint32_t count) {
    auto [piece, is_new] = free_.try_emplace(first, count);
    if (!is_new) return;
    if (auto next = std::next(piece); next != free_.end() && first + count == next->first) {
      piece->second += next->second;
      free_.erase(next);
    }
    if (piece == free_.begin()) return;
    auto before = std::prev(piece);
    if (before->first + before->second != piece->first) return;
    before->second += piece->second;
    free_.erase(piece);
  }

 private:
  std::map<uint32_t, uint32_t> free_;  // first -> count; no two touch
};

}  // namespace culprit
