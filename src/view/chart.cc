#include "view/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace culprit {

namespace {

constexpr size_t eighths = 8;
constexpr std::array<std::string_view, eighths + 1> blocks{" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
constexpr std::array<std::string_view, eighths + 1> ascii{" ", ".", ".", ":", ":", "-", "=", "#", "#"};

std::string_view mark_of(size_t level, const TextStyle& style) {
  return (style.unicode ? blocks : ascii)[std::min(level, eighths)];
}

// How many eighths of a row of `rows` rows stand for `number`.
size_t level_of(uint64_t number, uint64_t highest, size_t rows) {
  if (number == 0 || highest == 0) return 0;
  const double share = static_cast<double>(number) / static_cast<double>(highest);
  const auto level = static_cast<size_t>(share * static_cast<double>(rows * eighths) + 0.5);
  return std::clamp<size_t>(level, 1, rows * eighths);
}

// "from", the middle and "to" below `columns` columns.
std::string time_axis(const ChartFrame& frame, size_t columns) {
  const std::string left = duration_in_words(frame.from), right = duration_in_words(frame.to);
  const std::string middle = duration_in_words((frame.from + frame.to) / 2);
  std::string axis = left;
  const size_t centre = columns > middle.size() ? (columns - middle.size()) / 2 : 0;
  if (centre > axis.size() + 1 && centre + middle.size() + right.size() + 1 < columns) {
    axis += std::string(centre - axis.size(), ' ') + middle;
  }
  if (axis.size() + right.size() + 1 <= columns) axis += std::string(columns - axis.size() - right.size(), ' ') + right;
  return axis;
}

}  // namespace

std::vector<uint64_t> resampled(const std::vector<uint64_t>& numbers, size_t columns) {
  std::vector<uint64_t> out(columns);
  if (numbers.empty()) return out;
  for (size_t column = 0; column < columns; ++column) {
    const size_t first = column * numbers.size() / columns;
    const size_t end = std::max(first + 1, (column + 1) * numbers.size() / columns);
    out[column] = *std::max_element(numbers.begin() + static_cast<ptrdiff_t>(first),
                                    numbers.begin() + static_cast<ptrdiff_t>(std::min(end, numbers.size())));
  }
  return out;
}

std::string sparkline(const std::vector<uint64_t>& numbers, uint64_t highest, size_t columns, const TextStyle& style) {
  std::string line;
  for (uint64_t number : resampled(numbers, columns)) line += mark_of(level_of(number, highest, 1), style);
  return line;
}

std::string chart_text(const std::vector<uint64_t>& numbers, const ChartFrame& frame, const TextStyle& style) {
  const uint64_t highest = numbers.empty() ? 0 : *std::max_element(numbers.begin(), numbers.end());
  const size_t scale = std::max<size_t>(5, with_thousands(highest).size());
  const size_t columns = style.columns > scale + 5 + 20 ? style.columns - scale - 5 : 20;
  const std::vector<uint64_t> heights = resampled(numbers, columns);
  const std::string_view tick = style.unicode ? "┤" : "|", wall = style.unicode ? "│" : "|",
                         corner = style.unicode ? "└" : "+", floor = style.unicode ? "─" : "-";
  std::string text;
  for (size_t row = frame.rows; row-- > 0;) {
    const bool has_tick = row + 1 == frame.rows || (row + 1 == frame.rows / 2 && highest > 1);
    const uint64_t value = row + 1 == frame.rows ? highest : highest / 2;
    std::string line;
    for (uint64_t height : heights) {
      const size_t level = level_of(height, highest, frame.rows);
      line += mark_of(level > row * eighths ? level - row * eighths : 0, style);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += fmt::format("  {:>{}} {}{}\n", has_tick ? with_thousands(value) : "", scale, has_tick ? tick : wall,
                        inked(style, Ink::name, line));
  }
  std::string ground;
  for (size_t i = 0; i < columns; ++i) ground += floor;
  text += fmt::format("  {:>{}} {}{}\n", "0", scale, corner, ground);
  return text + std::string(scale + 4, ' ') + time_axis(frame, columns) + "\n";
}

}  // namespace culprit
