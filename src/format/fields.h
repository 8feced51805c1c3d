// Lines and words of the kernel's text files.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace culprit {

// Up to and without `separator`, which is skipped; all of it if there is none.
inline std::string_view take_until(std::string_view& text, char separator) {
  size_t end = text.find(separator);
  std::string_view taken = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return taken;
}

inline std::string_view take_line(std::string_view& text) { return take_until(text, '\n'); }

inline std::string_view without_leading_space(std::string_view text) {
  size_t start = text.find_first_not_of(" \t");
  return start == std::string_view::npos ? std::string_view{} : text.substr(start);
}

// The next word, and what follows it stays in `line`; empty at the end.
inline std::string_view take_word(std::string_view& line) {
  line = without_leading_space(line);
  size_t end = line.find_first_of(" \t");
  std::string_view word = line.substr(0, end);
  line.remove_prefix(word.size());
  return word;
}

// The number that a text begins with; nothing: it begins with none, or with one too large.
template <typename Integer>
std::optional<Integer> leading_number(std::string_view text, int base = 10) {
  Integer value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{}) return {};
  return value;
}

template <typename Integer>
void read_number(std::string_view text, Integer& into, int base = 10) {
  if (auto value = leading_number<Integer>(text, base)) into = *value;
}

}  // namespace culprit
