// The words of a piece of memory, one after the other.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "analysis/memory_window.h"
#include "target/target.h"

namespace culprit {

// Calls take(address, word) for each word at a multiple of 8. Parts that cannot be read are passed over; how many
// bytes.
template <typename Take>
uint64_t scan_words(MemoryWindow& window, AddressRange range, Take take) {
  constexpr uint64_t page = 4096;
  uint64_t unread = 0;
  for (uint64_t at = (range.start + 7) / 8 * 8; at + 8 <= range.end && at >= range.start;) {
    const Bytes bytes = window.from(at, range.end);
    if (bytes.size() < 8) {
      const uint64_t next = at / page * page + page;
      unread += std::min(next, range.end) - at;
      at = next;
      continue;
    }
    for (size_t i = 0; i + 8 <= bytes.size(); i += 8) {
      uint64_t word = 0;
      std::memcpy(&word, bytes.data() + i, 8);
      take(at + i, word);
    }
    at += bytes.size() / 8 * 8;
  }
  return unread;
}

}  // namespace culprit
