// Memory of a target, as an unwinder wants it.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>

#include "base/bytes.h"

namespace culprit {

class MemoryReader {
 public:
  virtual ~MemoryReader() = default;
  // All of `into`, or false: part of it is not there, or may not be read.
  virtual bool read(uint64_t address, std::span<std::byte> into) = 0;

  std::optional<uint64_t> word(uint64_t address) {
    uint64_t value = 0;
    return read(address, std::as_writable_bytes(std::span(&value, 1))) ? std::optional(value) : std::nullopt;
  }
};

// A copy that was made of one piece of memory. The bytes must outlive it.
class CopiedMemory final : public MemoryReader {
 public:
  CopiedMemory(uint64_t start, Bytes bytes) : start_(start), bytes_(bytes) {}

  bool read(uint64_t address, std::span<std::byte> into) override {
    uint64_t offset = address - start_;
    if (address < start_ || offset > bytes_.size() || into.size() > bytes_.size() - offset) return false;
    memcpy(into.data(), bytes_.data() + offset, into.size());
    return true;
  }

 private:
  uint64_t start_;
  Bytes bytes_;
};

}  // namespace culprit
