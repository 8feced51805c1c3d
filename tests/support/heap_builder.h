// Chunks as glibc lays them out, one after the other, for tests of who walks them. Shares nothing with the reader.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "base/bytes.h"

namespace culprit::testing {

class HeapBuilder {
 public:
  static constexpr uint64_t start = 0x555500000000;

  // A chunk of `size` bytes, header and all; gives its address.
  uint64_t chunk(uint64_t size, bool is_in_use = true) {
    const uint64_t at = end();
    bytes_.resize(bytes_.size() + size);
    if (free_before_ != 0) word(at, free_before_);  // the size of a free chunk stands behind it, too
    word(at + 8, size | (free_before_ == 0 ? 1 : 0));
    free_before_ = is_in_use ? 0 : size;
    return at;
  }
  uint64_t used(uint64_t size) { return chunk(size); }
  uint64_t freed(uint64_t size) { return chunk(size, false); }
  // The rest of the arena's memory: the last.
  uint64_t top(uint64_t size) { return chunk(size); }
  // What closes a piece of an arena that has gone on elsewhere.
  void fences() {
    chunk(16);
    chunk(16);
  }
  void word(uint64_t address, uint64_t value) { std::memcpy(bytes_.data() + (address - start), &value, 8); }

  uint64_t end() const { return start + bytes_.size(); }
  Bytes bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
  uint64_t free_before_ = 0;
};

}  // namespace culprit::testing
