#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "view/answer_text.h"
#include "view/chart.h"
#include "view/pivot_views.h"
#include "view/series_views.h"
#include "view/totals_text.h"

namespace culprit {

namespace {

constexpr size_t label_columns = 30, least_spark = 10, marks_shown = 8;

std::vector<uint64_t> heights_of(const SeriesLine& line) {
  std::vector<uint64_t> heights;
  for (const SeriesPoint& point : line.points) heights.push_back(point.most);
  return heights;
}

std::string headline(const HandleSeries& series, const TextStyle& style) {
  const SeriesLine& all = series.all;
  std::string words =
      fmt::format("culprit: at most {} open, at {}", inked(style, Ink::strong, counted(all.peak, "handle")),
                  duration_in_words(all.peak_at));
  words += fmt::format("; {} at the beginning, {} at the end, {} by {}", with_thousands(all.start),
                       with_thousands(all.end()), window_words(series.basis),
                       counted(series.basis.processes, "process", "processes"));
  return wrapped(words + filter_words(series.basis.filter), style.columns, 0, 9) + "\n";
}

// One line for each value: each on a scale of its own, so that small ones can be seen.
std::string lines_text(const HandleSeries& series, const TextStyle& style) {
  if (series.lines.empty()) return "";
  const size_t number = std::max<size_t>(5, with_thousands(series.all.peak).size());
  const size_t used = 2 + label_columns + 2 + 2 * (number + 1) + 1;
  const size_t spark = style.columns > used + least_spark ? style.columns - used : least_spark;
  std::string head = fmt::format("  {} {:>{}} {:>{}}  each on its own scale",
                                 padded(name_of(*series.by), label_columns), "most", number, "end", number);
  std::string text = "\n" + inked(style, Ink::faint, head) + "\n";
  for (const SeriesLine& line : series.lines) {
    std::string label = shorten_middle(value_words(*line.value, label_columns, style.unicode), label_columns);
    std::string chart = sparkline(heights_of(line), line.peak, spark, style);
    chart.erase(chart.find_last_not_of(' ') + 1);
    text += fmt::format("  {} {:>{}} {:>{}}  {}\n", padded(label, label_columns), with_thousands(line.peak), number,
                        with_thousands(line.end()), number, inked(style, Ink::name, chart));
  }
  if (series.lines_folded != 0)
    text += fmt::format("  {} {} more\n", style.unicode ? "…" : "...", with_thousands(series.lines_folded));
  return text;
}

std::string marks_text(const HandleSeries& series, const TextStyle& style) {
  if (series.marks.empty()) return "";
  std::string words = "marks: ";
  for (size_t i = 0; i < std::min(series.marks.size(), marks_shown); ++i) {
    const SeriesMark& mark = series.marks[i];
    words += fmt::format("{}{} at {}", i == 0 ? "" : ", ", shown(mark.name, 40), duration_in_words(mark.time));
  }
  if (series.marks.size() > marks_shown)
    words += fmt::format(" and {} more", with_thousands(series.marks.size() - marks_shown));
  return line_text(style, words);
}

}  // namespace

std::string series_as_text(const HandleSeries& series, const TextStyle& style) {
  const double to = series.from + series.width * static_cast<double>(series.all.points.size());
  std::string text = headline(series, style) + "\n";
  text += chart_text(heights_of(series.all), {.from = series.from, .to = to}, style);
  text += lines_text(series, style) + "\n" + marks_text(series, style);
  return text + losses_text(series.basis.losses, style);
}

}  // namespace culprit
