// Appends numbers and text to bytes, in the encodings that ByteReader takes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace culprit {

// Small magnitudes of either sign become small numbers: 0 -1 1 -2 … -> 0 1 2 3 …
inline uint64_t zigzag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}
inline int64_t unzigzag(uint64_t coded) { return static_cast<int64_t>((coded >> 1) ^ (0 - (coded & 1))); }
// Differences of anything, without overflow: they wrap, and added() wraps back.
inline int64_t difference(int64_t to, int64_t from) {
  return static_cast<int64_t>(static_cast<uint64_t>(to) - static_cast<uint64_t>(from));
}
inline int64_t added(int64_t base, int64_t delta) {
  return static_cast<int64_t>(static_cast<uint64_t>(base) + static_cast<uint64_t>(delta));
}

class ByteWriter {
 public:
  void put_byte(uint8_t byte) { bytes_.push_back(static_cast<char>(byte)); }
  void put_uleb128(uint64_t value) {
    for (; value >= 0x80; value >>= 7) put_byte(static_cast<uint8_t>(value | 0x80));
    put_byte(static_cast<uint8_t>(value));
  }
  void put_zigzag(int64_t value) { put_uleb128(zigzag(value)); }
  void put_bytes(std::string_view bytes) { bytes_.append(bytes); }
  void put_text(std::string_view text) {  // with its length
    put_uleb128(text.size());
    put_bytes(text);
  }
  template <typename T>
    requires std::is_trivially_copyable_v<T>
  void put_raw(const T& value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(T));
  }

  size_t size() const { return bytes_.size(); }
  std::string_view view() const { return bytes_; }
  void clear() { bytes_.clear(); }

 private:
  std::string bytes_;
};

}  // namespace culprit
