#include "view/allocation_series_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "view/chart.h"
#include "view/memory_words.h"
#include "view/stack_text.h"

namespace culprit {

namespace {

constexpr size_t label_columns = 35, number_columns = 9, least_spark = 10;

std::vector<uint64_t> heights_of(const MemorySeries& series) { return {series.begin(), series.end()}; }

// Without its place, for which there is no room.
std::string function_of(const ReportStack& stack) {
  const ReportFrame* blamed = blamed_frame(stack);
  if (blamed == nullptr && !stack.frames.empty()) blamed = &stack.frames.front();
  return blamed == nullptr ? "an unknown place" : frame_function(*blamed, label_columns);
}

// Each group on a scale of its own, so that small ones can be seen.
std::string group_line(const AllocationReport& report, const AllocationGroup& group, size_t spark,
                       const TextStyle& style) {
  const std::string label =
      report.by == AllocationKey::size ? size_group_words(report.kind, group.largest) : function_of(group.stack);
  return fmt::format("  {} {:>{}} {:>{}}  {}\n", padded(shorten_middle(label, label_columns), label_columns),
                     bytes_in_words(group.most.bytes), number_columns, bytes_in_words(group.outstanding.bytes),
                     number_columns, inked(style, Ink::name, series_sparkline(group.series, spark, style)));
}

}  // namespace

std::string series_sparkline(const MemorySeries& series, size_t columns, const TextStyle& style) {
  const std::vector<uint64_t> heights = heights_of(series);
  std::string line = sparkline(heights, *std::ranges::max_element(heights), std::min(columns, part_count), style);
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

std::string allocation_series_text(const AllocationReport& report, const TextStyle& style) {
  std::string text = "\n" + chart_text(heights_of(report.series), {.from = report.from, .to = report.to}, style);
  if (report.groups.empty()) return text;
  const size_t used = 2 + label_columns + 2 * (number_columns + 1) + 2;
  const size_t spark = style.columns > used + least_spark ? style.columns - used : least_spark;
  const std::string head = fmt::format("  {} {:>{}} {:>{}}  each on its own scale", padded("", label_columns), "most",
                                       number_columns, "left", number_columns);
  text += "\n" + inked(style, Ink::faint, head) + "\n";
  for (const AllocationGroup& group : report.groups) text += group_line(report, group, spark, style);
  return text;
}

}  // namespace culprit
