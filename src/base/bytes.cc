#include "base/bytes.h"

namespace culprit {

std::string_view ByteReader::take_c_string() {
  if (failed_) return {};
  Bytes rest = bytes_.subspan(position_);
  const void* end = rest.empty() ? nullptr : std::memchr(rest.data(), 0, rest.size());
  if (end == nullptr) return fail(), std::string_view{};
  size_t length = static_cast<size_t>(static_cast<const std::byte*>(end) - rest.data());
  position_ += length + 1;
  return as_text(rest.first(length));
}

uint64_t ByteReader::take_uleb128() {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    auto byte = take<uint8_t>();
    if (failed_) return 0;
    value |= uint64_t{byte & 0x7fu} << shift;
    if ((byte & 0x80) == 0) return value;
  }
  return fail(), 0;
}

int64_t ByteReader::take_sleb128() {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    auto byte = take<uint8_t>();
    if (failed_) return 0;
    value |= uint64_t{byte & 0x7fu} << shift;
    if ((byte & 0x80) == 0) {
      if (shift + 7 < 64 && (byte & 0x40) != 0) value |= ~uint64_t{0} << (shift + 7);
      return static_cast<int64_t>(value);
    }
  }
  return fail(), 0;
}

}  // namespace culprit
