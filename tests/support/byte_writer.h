// Little-endian bytes, one field after the other: what the tests build their inputs with.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace culprit::testing {

class ByteWriter {
 public:
  ByteWriter& u8(uint64_t value) { return integer(value, 1); }
  ByteWriter& u16(uint64_t value) { return integer(value, 2); }
  ByteWriter& u32(uint64_t value) { return integer(value, 4); }
  ByteWriter& u64(uint64_t value) { return integer(value, 8); }
  ByteWriter& bytes(std::string_view text) {
    text_ += text;
    return *this;
  }
  ByteWriter& c_string(std::string_view text) { return bytes(text).u8(0); }
  ByteWriter& uleb(uint64_t value) {
    for (; value >= 0x80; value >>= 7) u8((value & 0x7f) | 0x80);
    return u8(value);
  }
  ByteWriter& sleb(int64_t value) {
    for (; value < -64 || value > 63; value >>= 7) u8((static_cast<uint64_t>(value) & 0x7f) | 0x80);
    return u8(static_cast<uint64_t>(value) & 0x7f);
  }
  ByteWriter& align(size_t to, char fill = 0) {
    while (text_.size() % to != 0) text_ += fill;
    return *this;
  }

  size_t size() const { return text_.size(); }
  const std::string& text() const { return text_; }

 private:
  ByteWriter& integer(uint64_t value, int size) {
    for (int i = 0; i < size; ++i) text_ += static_cast<char>(value >> (8 * i));
    return *this;
  }

  std::string text_;
};

}  // namespace culprit::testing
