// A column of a block: numbers by the hundred thousand, nearly all of one byte. Bounded like ByteReader, whose address
// is known to functions elsewhere; a local ColumnReader is not, so its place stays in a register.
#pragma once

#include "base/bytes.h"

namespace culprit {

class ColumnReader {
 public:
  ColumnReader() = default;
  explicit ColumnReader(Bytes bytes) : next_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  explicit operator bool() const { return !failed_; }
  size_t remaining() const { return static_cast<size_t>(end_ - next_); }

  uint64_t take_byte() {
    if (next_ == end_) return failed_ = true, 0;
    return static_cast<uint8_t>(*next_++);
  }
  uint64_t take_uleb128() {
    if (next_ != end_ && static_cast<uint8_t>(*next_) < 0x80) return static_cast<uint8_t>(*next_++);
    ByteReader rest(Bytes(next_, end_));
    const uint64_t value = rest.take_uleb128();
    failed_ |= !rest;
    next_ = rest ? next_ + rest.position() : end_;
    return value;
  }

 private:
  const std::byte *next_ = nullptr, *end_ = nullptr;
  bool failed_ = false;  // what comes after that is 0
};

}  // namespace culprit
