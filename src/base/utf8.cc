#include "base/utf8.h"

namespace culprit {

Utf8Character first_character(std::string_view text) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char first = byte(0);
  Utf8Character broken{.code = first, .size = 1, .is_valid = false};
  if (first < 0x80) return {.code = first, .size = 1, .is_valid = true};
  size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || size > text.size()) return broken;
  char32_t code = first & (0x7fu >> size);
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return broken;
    code = code << 6 | (byte(i) & 0x3fu);
  }
  constexpr char32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  bool is_surrogate = code >= 0xd800 && code < 0xe000;
  if (code < smallest[size] || code > 0x10ffff || is_surrogate) return broken;
  return {.code = code, .size = size, .is_valid = true};
}

}  // namespace culprit
