// A bounded reader over bytes nobody vouches for. Reads are linear code without checks in between: the first
// failure sticks, everything after it yields zeros, and failed_at() says where it was.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace culprit {

using Bytes = std::span<const std::byte>;

inline Bytes as_bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }
inline std::string_view as_text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

class ByteReader {
 public:
  explicit ByteReader(Bytes bytes, size_t position = 0) : bytes_(bytes), position_(position) {
    if (position > bytes.size()) fail();
  }

  explicit operator bool() const { return !failed_; }
  size_t position() const { return position_; }
  size_t remaining() const { return failed_ ? 0 : bytes_.size() - position_; }
  bool at_end() const { return remaining() == 0; }
  size_t failed_at() const { return failed_at_; }

  // A struct of Le<> fields or single bytes, or a little-endian integer (this code runs on little-endian machines only).
  template <typename T>
    requires std::is_trivially_copyable_v<T>
  T take() {
    T value{};
    if (Bytes raw = take_bytes(sizeof(T)); !raw.empty()) std::memcpy(&value, raw.data(), sizeof(T));
    return value;
  }

  Bytes take_bytes(uint64_t count) {
    if (failed_ || count > bytes_.size() - position_) return fail(), Bytes{};
    Bytes taken = bytes_.subspan(position_, count);
    position_ += count;
    return taken;
  }

  // Up to and without the terminating NUL, which is skipped; fails when there is none.
  std::string_view take_c_string();
  uint64_t take_uleb128();
  int64_t take_sleb128();

  // A count claimed by the input: 0 and failed when that many items of that size cannot follow.
  uint64_t take_count(uint64_t count, uint64_t item_size) {
    if (failed_ || item_size == 0 || count > remaining() / item_size) return fail(), 0;
    return count;
  }

  void skip(uint64_t count) { take_bytes(count); }
  void seek(uint64_t position) {
    if (position > bytes_.size()) return fail();
    if (!failed_) position_ = position;
  }
  // Marks what was just read as nonsense, so that a semantic check fails like a bounds check.
  void fail() {
    if (!failed_) failed_at_ = position_;
    failed_ = true;
  }

 private:
  Bytes bytes_;
  size_t position_ = 0;
  size_t failed_at_ = 0;
  bool failed_ = false;
};

}  // namespace culprit
