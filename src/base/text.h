// Text for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace culprit {

// Names come from programs that may want to harm a terminal: control characters, DEL, C1 controls, bidirectional
// overrides and invalid UTF-8 become visible escapes (\x1b, \u202e). Applied to every foreign string before it is
// shown.
std::string printable(std::string_view foreign);

std::string with_thousands(uint64_t number);  // 1234567 -> "1,234,567"
// "1 leak", "3,000 leaks"; `many` where an s does not do it.
std::string counted(uint64_t count, std::string_view one, std::string_view many = {});
std::string duration_in_words(double seconds);                      // "3.2 s", "12 min", "about 4 h"
std::string bytes_in_words(uint64_t bytes);                         // "512 B", "1.4 MB"
size_t display_width(std::string_view utf8);                        // columns on a terminal
std::string shorten_middle(std::string_view text, size_t columns);  // "/very/lo…/file.cc"

}  // namespace culprit
