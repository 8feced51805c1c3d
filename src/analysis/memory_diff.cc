#include "analysis/memory_diff.h"

#include <algorithm>
#include <unordered_map>

#include "analysis/life_replay.h"
#include "analysis/memory_totals.h"
#include "analysis/stack_signatures.h"
#include "analysis/trace_words.h"

namespace culprit {

namespace {

class Side {
 public:
  Side(const MemoryMoment& moment, const RecordingSpan& span, RecordedMemory kind, const SymbolLookup& lookup)
      : moment_(moment),
        span_(span),
        symbols_(moment.trace.tables(), lookup),
        totals_(moment.trace.tables(), kind, AllocationKey::stack, {moment.from, moment.to, span.start, span.end}) {}
  Side(const Side&) = delete;  // its parts point at each other
  Side& operator=(const Side&) = delete;

  Result<void> run() {
    CULPRIT_TRY(moment_.trace.replay(totals_));
    totals_.finish();
    return {};
  }

  StackSymbols& symbols() { return symbols_; }
  const TraceTables& tables() const { return moment_.trace.tables(); }
  const std::vector<AllocationTotal>& totals() const { return totals_.ledger().totals(); }
  std::vector<StackId> stacks() const {
    std::vector<StackId> stacks;
    for (const AllocationTotal& total : totals()) stacks.push_back(id_at<StackId>(total.key));
    return stacks;
  }

  MemoryDiffSide report() const {
    const TraceInfo& info = moment_.trace.info();
    const TraceWords words = this->words();
    MemoryDiffSide side{.command = info.command,
                        .recorded_by = info.recorded_by,
                        .machine = info.machine,
                        .wall_clock_ns = info.wall_clock_ns,
                        .complete = info.complete,
                        .duration = words.seconds(span_.end),
                        .from = std::max(0.0, words.seconds(std::max(moment_.from, span_.start))),
                        .to = words.seconds(std::min(moment_.to, span_.end))};
    for (const AllocationTotal& total : totals()) {
      side.outstanding.add(total.left);
      side.made.add(total.made);
    }
    return side;
  }
  std::vector<MergedLoss> losses(uint64_t nameless) const {
    std::vector<Loss> losses = totals_.losses();
    std::erase_if(losses, [](const Loss& loss) { return is_about_handles(loss.kind); });
    losses.push_back({LossKind::symbols_missing, nameless, ProcessId::none, {}});
    return merge_losses(words(), losses);
  }

 private:
  TraceWords words() const { return {tables(), started_at(moment_.trace)}; }

  const MemoryMoment& moment_;
  RecordingSpan span_;
  StackSymbols symbols_;
  MemoryTotals totals_;
};

struct Row {
  MemoryDiffRow report;
  StackId stack = StackId::none;  // of the side after, if it is there
  bool in_after = false;
};

std::vector<Row> compare(Side& before, Side& after) {
  std::vector<Row> rows;
  std::unordered_map<std::string, size_t> index;
  auto add = [&](Side& side, Side& other, bool is_after) {
    StackSignatures signatures(side.symbols(), side.tables(), other.tables());
    signatures.prepare(side.stacks());
    for (const AllocationTotal& total : side.totals()) {
      const StackId stack = id_at<StackId>(total.key);
      auto [place, is_new] = index.try_emplace(signatures.of(stack), rows.size());
      if (is_new) rows.push_back({.stack = stack, .in_after = is_after});
      MemoryDiffRow& row = rows[place->second].report;
      (is_after ? row.after : row.before).add(total.left);
      (is_after ? row.made_after : row.made_before) += total.made.blocks;
    }
  };
  add(after, before, true);
  add(before, after, false);
  return rows;
}

StackChange change_of(const MemoryDiffRow& row) {
  if (row.before.bytes == row.after.bytes && row.before.blocks == row.after.blocks) return StackChange::same;
  if (row.before.blocks == 0) return StackChange::appeared;
  if (row.after.blocks == 0) return StackChange::went;
  return row.growth() > 0 || (row.growth() == 0 && row.before.blocks < row.after.blocks) ? StackChange::grew
                                                                                         : StackChange::shrank;
}

// Keeps those which changed most, in the order of the report.
void choose_rows(std::vector<Row>& rows, const MemoryDiffOptions& options, MemoryDiff& diff) {
  for (Row& row : rows) {
    row.report.change = change_of(row.report);
    ++diff.rows_by[static_cast<size_t>(row.report.change)];
  }
  if (!options.all) std::erase_if(rows, [](const Row& row) { return row.report.change == StackChange::same; });
  std::ranges::stable_sort(rows, std::ranges::greater(), [](const Row& row) {
    return std::pair(std::abs(row.report.growth()), row.report.made_after);
  });
  if (options.top != 0 && rows.size() > options.top) {
    diff.rows_hidden = rows.size() - options.top;
    rows.resize(options.top);
  }
  std::ranges::stable_sort(rows, std::ranges::greater(), [](const Row& row) { return row.report.growth(); });
}

// Names for the rows that are shown. How many frames have none: before, after.
std::pair<uint64_t, uint64_t> give_stacks(std::vector<Row>& rows, Side& before, Side& after) {
  std::vector<StackId> of_before, of_after;
  for (const Row& row : rows) (row.in_after ? of_after : of_before).push_back(row.stack);
  before.symbols().prepare(of_before);
  after.symbols().prepare(of_after);
  std::pair<uint64_t, uint64_t> nameless;
  for (Row& row : rows) {
    row.report.stack = (row.in_after ? after : before).symbols().report_stack(row.stack);
    (row.in_after ? nameless.second : nameless.first) += nameless_frames(row.report.stack);
  }
  return nameless;
}

}  // namespace

Result<MemoryDiff> diff_memory(const MemoryMoment& before, const MemoryMoment& after, const SymbolLookup& lookup,
                               const MemoryDiffOptions& options) {
  for (const MemoryMoment* moment : {&before, &after}) {
    if (options.kind == RecordedMemory::blocks && moment->trace.info().allocations > 1)
      return fail(ErrorKind::unsupported, "what changed cannot be told from samples (run --heap --sample)");
  }
  auto first_span = span_of(before.trace), second_span = span_of(after.trace);
  if (!first_span) return tl::unexpected<Error>(first_span.error());
  if (!second_span) return tl::unexpected<Error>(second_span.error());
  Side first(before, *first_span, options.kind, lookup), second(after, *second_span, options.kind, lookup);
  CULPRIT_TRY(first.run());
  CULPRIT_TRY(second.run());
  MemoryDiff diff{.kind = options.kind, .before = first.report(), .after = second.report()};
  std::vector<Row> rows = compare(first, second);
  choose_rows(rows, options, diff);
  const auto nameless = give_stacks(rows, first, second);
  for (Row& row : rows) diff.rows.push_back(std::move(row.report));
  const bool is_one = &before.trace == &after.trace;
  if (!is_one) diff.modules_by_name = names_of_different_builds(first.tables(), second.tables());
  diff.losses = second.losses(nameless.second + (is_one ? nameless.first : 0));
  if (!is_one) diff.losses = losses_of_both(first.losses(nameless.first), diff.losses);
  diff.exact = is_exact(diff.losses);
  return diff;
}

}  // namespace culprit
