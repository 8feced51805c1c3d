// Small charts of characters: blocks of eighths, or ASCII.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "view/text_style.h"

namespace culprit {

// As many numbers as there are columns, each the highest of its share.
std::vector<uint64_t> resampled(const std::vector<uint64_t>& numbers, size_t columns);

// One line, `columns` wide; the full height is `highest`. What is not 0 is never blank.
std::string sparkline(const std::vector<uint64_t>& numbers, uint64_t highest, size_t columns, const TextStyle& style);

struct ChartFrame {
  size_t rows = 8;
  double from = 0, to = 0;  // seconds, below the chart
};
// Lines with a scale at the left and the time below, as wide as the style allows.
std::string chart_text(const std::vector<uint64_t>& numbers, const ChartFrame& frame, const TextStyle& style);

}  // namespace culprit
