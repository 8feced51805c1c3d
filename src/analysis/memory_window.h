// A piece of a target's memory that moves along: for reading much of it, mostly forwards, without a call for each word.
#pragma once

#include <cstdint>
#include <vector>

#include "model/memory_reader.h"

namespace culprit {

class MemoryWindow {
 public:
  // `memory` must outlive this.
  explicit MemoryWindow(MemoryReader& memory) : memory_(memory), bytes_(largest) {}

  // `size` bytes, at most `most_at_once`, valid until the next call; null: they cannot be read. `end`: nothing behind
  // is wanted.
  const std::byte* at(uint64_t address, uint64_t size, uint64_t end) {
    if (address - start_ <= filled_ && size <= filled_ - (address - start_)) return bytes_.data() + (address - start_);
    return move(address, size, end);
  }
  // What is there, up to `end` or as much as fits; empty: nothing can be read.
  Bytes from(uint64_t address, uint64_t end);
  // What it holds may have changed.
  void forget() { filled_ = 0; }

  static constexpr uint64_t most_at_once = 64 << 10;

 private:
  static constexpr uint64_t smallest = 16 << 10, largest = 1 << 20;

  const std::byte* move(uint64_t address, uint64_t size, uint64_t end);
  bool fill(uint64_t address, uint64_t size);

  MemoryReader& memory_;
  std::vector<std::byte> bytes_;
  uint64_t start_ = 0, filled_ = 0;
  uint64_t step_ = smallest;  // read at once: more while it goes on, less after a leap
};

}  // namespace culprit
