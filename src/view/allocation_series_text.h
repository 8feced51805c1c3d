// What memory was in use when, drawn with characters.
#pragma once

#include <string>

#include "analysis/allocation_report.h"
#include "view/text_style.h"

namespace culprit {

// At most so many columns; what is 0 at the end is cut off.
std::string series_sparkline(const MemorySeries& series, size_t columns, const TextStyle& style);
// All of it as a chart, then a line for each group.
std::string allocation_series_text(const AllocationReport& report, const TextStyle& style);

}  // namespace culprit
