// UTF-8 that may be broken.
#pragma once

#include <cstddef>
#include <string_view>

namespace culprit {

struct Utf8Character {
  char32_t code = 0;     // if !is_valid: the byte
  size_t size = 1;       // bytes it takes
  bool is_valid = true;  // false: this byte begins no well-formed character (overlong, surrogate, too large, cut off)
};

// The first character of a text that is not empty.
Utf8Character first_character(std::string_view text);

}  // namespace culprit
