// How many handles were open at any time: WPA's graph "Outstanding Count by Process" as plain data.
#pragma once

#include <optional>
#include <vector>

#include "analysis/answer_basis.h"
#include "analysis/column_value.h"
#include "analysis/life_filter.h"

namespace culprit {

struct HandleSeriesOptions {
  std::optional<HandleColumn> by;          // a line for each of its values; none: only the sum
  LifeFilter filter{.lives = Lives::all};  // `from` only says where the graph begins: older handles count, too
  size_t points = 240;
  size_t top = 0;  // keep the so many lines with the highest peaks; 0: all
};

struct SeriesPoint {
  uint64_t open = 0;                 // at the end of its time
  uint64_t most = 0;                 // highest of `samples_per_point` looks during its time
  uint64_t created = 0, closed = 0;  // during its time
};

struct SeriesLine {
  std::optional<ColumnValue> value;  // none: the sum of all
  std::vector<SeriesPoint> points;
  uint64_t start = 0;  // open when the graph begins
  uint64_t peak = 0;
  double peak_at = 0;  // seconds since the recording began
  uint64_t end() const { return points.empty() ? start : points.back().open; }
};

struct SeriesMark {
  double time = 0;
  std::string name;
};

struct HandleSeries {
  static constexpr size_t samples_per_point = 16;

  AnswerBasis basis;
  std::optional<HandleColumn> by;
  double from = 0, width = 0;  // seconds; point i covers from + i * width to from + (i + 1) * width
  SeriesLine all;
  std::vector<SeriesLine> lines;  // highest peak first
  uint64_t lines_folded = 0;      // by `top`
  std::vector<SeriesMark> marks;  // within the graph's time
};

// Memory is what is open at one time, and points times lines.
Result<HandleSeries> build_handle_series(Trace& trace, const SymbolLookup& lookup, const HandleSeriesOptions& options);

}  // namespace culprit
