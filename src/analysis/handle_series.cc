#include "analysis/handle_series.h"

#include <algorithm>
#include <memory>
#include <unordered_map>

#include "analysis/life_groups.h"

namespace culprit {

namespace {

constexpr size_t line_limit = 1024;

// The graph's time in equal cells. Times outside count for the first and the last one.
struct Cells {
  Time from, to;
  size_t count;

  size_t of(Time time) const {
    if (time <= from) return 0;
    if (time >= to) return count - 1;
    // As doubles: the product of a long time and many cells has no room in 64 bits.
    const double share = static_cast<double>(time - from) / static_cast<double>(to - from);
    return std::min(count - 1, static_cast<size_t>(share * static_cast<double>(count)));
  }
};

struct Line {
  HandleLife example;
  int64_t start = 0;
  std::vector<int32_t> change;            // open ones, by sample
  std::vector<uint32_t> created, closed;  // by point

  explicit Line(size_t points) : change(points * HandleSeries::samples_per_point), created(points), closed(points) {}
  void add(const Line& other) {
    start += other.start;
    for (size_t i = 0; i < change.size(); ++i) change[i] += other.change[i];
    for (size_t i = 0; i < created.size(); ++i) created[i] += other.created[i];
    for (size_t i = 0; i < closed.size(); ++i) closed[i] += other.closed[i];
  }
};

class Lines final : public HandleLifeSink {
 public:
  Lines(Cells points, std::optional<HandleColumn> by)
      : all(points.count),
        points_(points),
        samples_{points.from, points.to, points.count * HandleSeries::samples_per_point},
        by_(by) {}

  Line all;
  std::vector<std::unique_ptr<Line>> lines;
  uint64_t beyond_limit = 0;  // lives of more lines than are drawn

  void on_life(const HandleLife& life) override {
    const bool ends = life.how_closed != HowClosed::still_open;
    if (ends && life.closed < points_.from) return;
    count(all, life, ends);
    if (!by_) return;
    const uint64_t word = word_of(*by_, life);
    if (!last_ || word != last_word_) {
      auto found = index_.find(word);
      if (found == index_.end()) {
        if (lines.size() >= line_limit) {
          ++beyond_limit;
          return;
        }
        found = index_.emplace(word, lines.size()).first;
        lines.push_back(std::make_unique<Line>(points_.count));
        lines.back()->example = life;
      }
      last_word_ = word;
      last_ = lines[found->second].get();
    }
    count(*last_, life, ends);
  }

 private:
  void count(Line& line, const HandleLife& life, bool ends) {
    // What was there before the recording was so when the graph begins, too, though it was seen a little later.
    if (life.created < points_.from || life.how_created == HowCreated::existing) {
      ++line.start;
    } else {
      ++line.created[points_.of(life.created)];
      ++line.change[samples_.of(life.created)];
    }
    if (!ends) return;
    ++line.closed[points_.of(life.closed)];
    --line.change[samples_.of(life.closed)];
  }

  Cells points_, samples_;
  std::optional<HandleColumn> by_;
  std::unordered_map<uint64_t, size_t> index_;
  uint64_t last_word_ = 0;
  Line* last_ = nullptr;
};

SeriesLine finished(const Line& line, double from, double width) {
  SeriesLine out;
  out.start = static_cast<uint64_t>(std::max<int64_t>(0, line.start));
  out.peak = out.start;
  out.peak_at = from;
  int64_t open = line.start;
  for (size_t i = 0; i < line.created.size(); ++i) {
    SeriesPoint point{.created = line.created[i], .closed = line.closed[i]};
    for (size_t sample = 0; sample < HandleSeries::samples_per_point; ++sample) {
      open += line.change[i * HandleSeries::samples_per_point + sample];
      point.open = static_cast<uint64_t>(std::max<int64_t>(0, open));
      point.most = std::max(point.most, point.open);
      if (point.open <= out.peak) continue;
      out.peak = point.open;
      out.peak_at =
          from + width * (static_cast<double>(i) + static_cast<double>(sample + 1) / HandleSeries::samples_per_point);
    }
    out.points.push_back(point);
  }
  return out;
}

// Lines that are equal in words become one.
void merge_by_words(std::vector<std::unique_ptr<Line>>& lines, HandleColumn by, const ColumnSource& source) {
  std::unordered_map<std::string, Line*> firsts;
  std::vector<std::unique_ptr<Line>> merged;
  for (auto& line : lines) {
    auto [place, is_new] = firsts.try_emplace(value_of(by, line->example, source).text, line.get());
    if (is_new) {
      merged.push_back(std::move(line));
    } else {
      place->second->add(*line);
    }
  }
  lines = std::move(merged);
}

void add_lines(HandleSeries& series, Lines& found, const ColumnSource& source, size_t top) {
  if (!series.by) return;
  for (const auto& line : found.lines) {
    series.lines.push_back(finished(*line, series.from, series.width));
    series.lines.back().value = value_of(*series.by, line->example, source);
  }
  std::stable_sort(series.lines.begin(), series.lines.end(), [](const SeriesLine& a, const SeriesLine& b) {
    return std::pair(a.peak, a.end()) > std::pair(b.peak, b.end());
  });
  if (top == 0 || series.lines.size() <= top) return;
  series.lines_folded = series.lines.size() - top;
  series.lines.resize(top);
}

}  // namespace

Result<HandleSeries> build_handle_series(Trace& trace, const SymbolLookup& lookup, const HandleSeriesOptions& options) {
  StackSymbols symbols(trace.tables(), lookup);
  auto choice = choose_stacks(trace, options.filter, symbols);
  if (!choice) return tl::unexpected<Error>(std::move(choice).error());
  auto recording = span_of(trace);
  if (!recording) return tl::unexpected<Error>(std::move(recording).error());
  const Time from = std::clamp(options.filter.from, recording->start, recording->end);
  const Time to = std::clamp(options.filter.to, from, recording->end);
  Lines lines({from, to, std::max<size_t>(1, options.points)}, options.by);
  LifeFilter any_time = options.filter;
  any_time.from = INT64_MIN;
  LifeGate gate(trace.tables(), any_time, *choice, lines);
  LifeReplay replay(trace, gate, options.filter.to);
  CULPRIT_TRY(replay.run());

  const TraceWords words{trace.tables(), recording->start};
  HandleSeries series;
  series.by = options.by;
  series.from = words.seconds(from);
  series.width = static_cast<double>(to - from) / 1e9 / static_cast<double>(std::max<size_t>(1, options.points));
  series.all = finished(lines.all, series.from, series.width);
  const ColumnSource source{words, replay, symbols};
  if (options.by && (needs_symbols(*options.by) || *options.by == HandleColumn::stack)) {
    std::vector<StackId> stacks;
    for (const auto& line : lines.lines) stacks.push_back(line->example.created_stack);
    symbols.prepare(stacks);
  }
  if (options.by && is_word(*options.by)) merge_by_words(lines.lines, *options.by, source);
  add_lines(series, lines, source, options.top);
  for (const Mark& mark : replay.marks()) {
    if (mark.time >= from && mark.time <= to) series.marks.push_back({words.seconds(mark.time), mark.name});
  }
  uint64_t nameless = 0;
  for (const SeriesLine& line : series.lines) nameless += nameless_frames(line.value->stack);
  std::vector<Loss> own;
  if (lines.beyond_limit != 0) {
    own.push_back(
        {LossKind::memory_limit, lines.beyond_limit, ProcessId::none, "handles of more lines than are told apart"});
  }
  series.basis = basis_of(trace, replay, options.filter, nameless, std::move(own));
  return series;
}

}  // namespace culprit
