#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "base/utf8.h"

namespace culprit {

namespace {

struct CodeRange {
  char32_t first, last;
};

// What moves, hides or reorders text on a terminal: controls, and Unicode's format characters (general category Cf, Zl,
// Zp).
constexpr CodeRange unprintable[] = {{0x00, 0x1f},     {0x7f, 0x9f},      {0xad, 0xad},     {0x600, 0x605},
                                     {0x61c, 0x61c},   {0x6dd, 0x6dd},    {0x70f, 0x70f},   {0x180e, 0x180e},
                                     {0x200b, 0x200f}, {0x2028, 0x202e},  {0x2060, 0x206f}, {0xfeff, 0xfeff},
                                     {0xfff0, 0xfffb}, {0xe0000, 0xe0fff}};

// East Asian Wide and Fullwidth, and emoji, by blocks: what terminals give two columns.
constexpr CodeRange wide[] = {{0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0x33ff},  {0x3400, 0x4dbf},
                              {0x4e00, 0x9fff},   {0xa000, 0xa4cf},   {0xac00, 0xd7a3},  {0xf900, 0xfaff},
                              {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},  {0x1f300, 0x1f64f},
                              {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};

constexpr CodeRange combining[] = {{0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},
                                   {0x64b, 0x65f},   {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff},
                                   {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}};

bool is_among(char32_t code, std::span<const CodeRange> ranges) {
  return std::ranges::any_of(ranges, [&](CodeRange range) { return code >= range.first && code <= range.last; });
}

size_t width_of(Utf8Character character) {
  if (character.code < 0x300 || !character.is_valid) return 1;
  if (is_among(character.code, combining)) return 0;
  return is_among(character.code, wide) ? 2 : 1;
}

std::string escape(Utf8Character character) {
  auto code = static_cast<uint32_t>(character.code);
  if (!character.is_valid || code < 0x80) return fmt::format("\\x{:02x}", code);
  return code > 0xffff ? fmt::format("\\U{:08x}", code) : fmt::format("\\u{:04x}", code);
}

// How many bytes from the start of `text` fill at most `columns`.
size_t bytes_of_head(std::string_view text, size_t columns) {
  size_t size = 0;
  while (size < text.size()) {
    Utf8Character character = first_character(text.substr(size));
    if (width_of(character) > columns) break;
    columns -= width_of(character);
    size += character.size;
  }
  return size;
}

// Where the end of `text` begins that fills at most `columns`.
size_t start_of_tail(std::string_view text, size_t columns) {
  size_t width = display_width(text), start = 0;
  while (start < text.size() && width > columns) {
    Utf8Character character = first_character(text.substr(start));
    width -= width_of(character);
    start += character.size;
  }
  return start;
}

}  // namespace

std::string printable(std::string_view foreign) {
  std::string shown;
  shown.reserve(foreign.size());
  while (!foreign.empty()) {
    Utf8Character character = first_character(foreign);
    if (character.is_valid && !is_among(character.code, unprintable))
      shown += foreign.substr(0, character.size);
    else
      shown += escape(character);
    foreign.remove_prefix(character.size);
  }
  return shown;
}

std::string with_thousands(uint64_t number) {
  std::string digits = fmt::to_string(number);
  for (size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, ",");
  return digits;
}

std::string counted(uint64_t count, std::string_view one, std::string_view many) {
  if (count == 1) return fmt::format("1 {}", one);
  return many.empty() ? fmt::format("{} {}s", with_thousands(count), one)
                      : fmt::format("{} {}", with_thousands(count), many);
}

std::string duration_in_words(double seconds) {
  constexpr double minute = 60, hour = 3600, day = 86400, year = 365.25 * day;
  if (!(seconds >= 0)) return "an unknown time";
  if (seconds == 0) return "0 s";
  if (seconds < 1e-6) return fmt::format("{:.0f} ns", seconds * 1e9);
  if (seconds < 1e-3) return fmt::format("{:.0f} us", seconds * 1e6);
  if (seconds < 0.9995) return fmt::format("{:.0f} ms", seconds * 1e3);
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  if (seconds < 99.5) return fmt::format("{:.0f} s", seconds);
  if (seconds < 99.5 * minute) return fmt::format("{:.0f} min", seconds / minute);
  if (seconds < 48 * hour) return fmt::format("about {:.0f} h", seconds / hour);
  if (seconds < 2 * year) return fmt::format("about {:.0f} days", seconds / day);
  return "years";
}

std::string bytes_in_words(uint64_t bytes) {
  constexpr std::string_view units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
  if (bytes < 1000) return fmt::format("{} B", bytes);
  auto value = static_cast<double>(bytes) / 1000;
  size_t unit = 0;
  // 999.95 would be rounded to 1000.0 of the smaller unit.
  for (; value >= 999.95 && unit + 1 < std::size(units); ++unit) value /= 1000;
  return fmt::format("{:.1f} {}", value, units[unit]);
}

size_t display_width(std::string_view utf8) {
  size_t width = 0;
  while (!utf8.empty()) {
    Utf8Character character = first_character(utf8);
    width += width_of(character);
    utf8.remove_prefix(character.size);
  }
  return width;
}

std::string shorten_middle(std::string_view text, size_t columns) {
  if (display_width(text) <= columns) return std::string(text);
  if (columns == 0) return {};
  size_t room = columns - 1;  // for the ellipsis
  size_t tail_columns = room - room / 2;
  // A path says most in its last part: keep that whole where at least a little of its beginning stays, too.
  if (size_t slash = text.rfind('/'); slash != std::string_view::npos) {
    size_t last_part = display_width(text.substr(slash));
    if (last_part > 1 && last_part + 1 <= room) tail_columns = std::max(last_part, room / 2);
  }
  size_t tail = start_of_tail(text, tail_columns);
  size_t head = std::min(tail, bytes_of_head(text, room - display_width(text.substr(tail))));
  return fmt::format("{}…{}", text.substr(0, head), text.substr(tail));
}

}  // namespace culprit
