// links: view trace
// Events in any order that a reader would let through, asked every question about handles, in every form. Each byte
// string is a little program: what happens to which number in which process. The sums must agree.
#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <string>

#include "analysis/handle_diff.h"
#include "analysis/handle_pivot.h"
#include "analysis/handle_series.h"
#include "analysis/recording_diff.h"
#include "analysis/value_history.h"
#include "support/trace_builder.h"
#include "view/diff_views.h"
#include "view/pivot_views.h"
#include "view/series_views.h"
#include "view/value_views.h"

namespace {

using namespace culprit;
using testing::TraceBuilder;

class Bytes {
 public:
  Bytes(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  bool empty() const { return at_ >= size_; }
  uint8_t take() { return empty() ? 0 : data_[at_++]; }
  std::string text() {
    std::string text;
    for (size_t left = take() % 8; left > 0; --left) text += static_cast<char>(take());
    return text;
  }

 private:
  const uint8_t* data_;
  size_t size_, at_ = 0;
};

void happen(Bytes& bytes, TraceBuilder& trace, const std::vector<ProcessId>& processes,
            const std::vector<StackId>& stacks, double& time) {
  const uint8_t what = bytes.take(), who = bytes.take();
  const ProcessId process = processes[who % processes.size()], other = processes[who / 16 % processes.size()];
  const int64_t value = bytes.take() % 32;
  const StackId stack = stacks[what / 16 % stacks.size()];
  time += bytes.take() % 4;
  switch (what % 12) {
    case 0:
      return void(trace.launch(time, process));
    case 1:
      return void(trace.fork(time, other, process));
    case 2:
      return void(trace.exec(time, process));
    case 3:
      return void(trace.exit(time, process));
    case 4:
      return void(trace.close(time, process, value, who, stack));
    case 5:
      return void(trace.dup(time, process, value, who % 32));
    case 6:
      return void(trace.receive(time, process, value));
    case 7:
      return void(trace.close_range(time, process, value, value + who));
    case 8:
      return void(trace.mark(time, bytes.text()));
    case 9:
      return void(trace.snapshot(time, time + 1, process, SnapshotReason::periodic, who % 2 == 0,
                                 {{.value = value, .inode = who}}));
    case 10:
      return void(trace.thread(time, process, who, bytes.text()));
    default:
      return void(
          trace.open(time, process, value, {.type = bytes.text(), .name = bytes.text(), .stack = stack, .tid = who}));
  }
}

uint64_t sum_of_ends(const PivotNode& node) {
  if (node.children.empty() && node.folded == 0) return node.counts.created();
  return std::accumulate(node.children.begin(), node.children.end(), node.folded_counts.created(),
                         [](uint64_t sum, const PivotNode& child) { return sum + sum_of_ends(child); });
}

void check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bytes bytes(data, size);
  TraceBuilder trace;
  std::vector<ProcessId> processes;
  for (uint32_t pid = 0; pid < 4; ++pid) processes.push_back(trace.process(pid, bytes.text()));
  const std::vector<StackId> stacks{StackId::none, trace.stack("open@/lib/libc.so.6 f@program"),
                                    trace.stack("g@program"), trace.stack("open@/lib/libc.so.6")};
  std::vector<HandleColumn> columns;
  for (uint8_t left = bytes.take() % 5; left > 0; --left)
    columns.push_back(static_cast<HandleColumn>(bytes.take() % handle_column_count));
  LifeFilter filter{.min_age = bytes.take() * 100'000,
                    .lives = bytes.take() % 2 == 0 ? Lives::all : Lives::outstanding};
  if (const uint8_t from = bytes.take(); from % 2 == 1) filter.from = TraceBuilder::ms(from);
  if (const uint8_t to = bytes.take(); to % 2 == 1) filter.to = TraceBuilder::ms(to);
  if (auto pattern = Pattern::compile(bytes.text()); pattern && bytes.take() % 4 == 0) filter.stack = *pattern;
  const size_t top = bytes.take() % 4;
  double time = 0;
  while (!bytes.empty()) happen(bytes, trace, processes, stacks, time);
  if (top != 3) trace.ends(time);

  auto pivot = build_handle_pivot(trace, {}, {.columns = columns, .filter = filter, .top_rows = top});
  check(pivot.has_value() && sum_of_ends(pivot->root) == pivot->root.counts.created());
  pivot_as_text(*pivot, {}), pivot_as_json(*pivot, "x"), pivot_as_csv(*pivot);
  HandleSeriesOptions graph{.filter = filter, .points = 7, .top = top};
  if (!columns.empty()) graph.by = columns.front();
  auto series = build_handle_series(trace, {}, graph);
  check(series.has_value());
  series_as_text(*series, {}), series_as_json(*series, "x"), series_as_csv(*series);
  auto moments = diff_moments(trace, {}, {.filter = filter, .top = top});
  check(moments && moments->made == moments->still_open + moments->at_exit + moments->closed);
  handle_diff_as_text(*moments, {}, {}), handle_diff_as_json(*moments, {}, "x");
  auto history = build_value_history(trace, {}, {.value = 3, .filter = filter, .top = top});
  check(history.has_value());
  value_as_text(*history, {}), value_as_json(*history, "x");
  auto same = diff_recordings(trace, trace, {}, {.before = filter, .after = filter, .all = true, .top = top});
  check(same && same->total_before.created == same->total_after.created);
  recording_diff_as_text(*same, "x", "y", {}), recording_diff_as_json(*same, "x", "y");
  return 0;
}
