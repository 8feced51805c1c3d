// What stands in a heap, in words.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace culprit {

// Where a size should stand: "0x4141414141414141, which is the text "AAAAAAAA"".
inline std::string word_in_words(uint64_t word) {
  char text[8];
  std::memcpy(text, &word, sizeof text);
  const bool is_text = std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
  return is_text ? fmt::format("{:#x}, which is the text \"{}\"", word, std::string_view(text, sizeof text))
                 : fmt::format("{:#x}", word);
}

}  // namespace culprit
