#include "analysis/value_history.h"

#include <algorithm>
#include <deque>

namespace culprit {

namespace {

template <typename Row>
class Newest {
 public:
  explicit Newest(size_t limit) : limit_(std::max<size_t>(1, limit)) {}
  void add(const Row& row) {
    ++in_all;
    rows.push_back(row);
    if (rows.size() > limit_) rows.pop_front();
  }
  std::deque<Row> rows;
  uint64_t in_all = 0;

 private:
  size_t limit_;
};

class LivesOfValue final : public HandleLifeSink {
 public:
  LivesOfValue(int64_t value, size_t limit) : found(limit), value_(value) {}
  void on_life(const HandleLife& life) override {
    if (life.value == value_) found.add(life);
  }
  Newest<HandleLife> found;

 private:
  int64_t value_;
};

// Notices closes of the number which the lifetimes could not use.
class HistoryReplay final : public LifeReplay {
 public:
  HistoryReplay(Trace& trace, HandleLifeSink& lives, LifeGate& gate, const ValueHistoryOptions& options)
      : LifeReplay(trace, lives, options.filter.to), vain_closes(options.top), gate_(gate), options_(options) {}

  void on_handle(const HandleEvent& event) override {
    const bool is_close = event.action == HandleAction::close && event.value == options_.value;
    const uint64_t before = is_close ? failed_closes(event.process) : 0;
    LifeReplay::on_handle(event);
    if (!is_close || failed_closes(event.process) == before || event.time < options_.filter.from) return;
    if (gate_.owner_wanted(event.process)) vain_closes.add(event);
  }
  Newest<HandleEvent> vain_closes;

 private:
  uint64_t failed_closes(ProcessId process) const {
    const auto& facts = lifetimes().processes();
    return index_of(process) < facts.size() ? facts[index_of(process)].failed_closes : 0;
  }

  LifeGate& gate_;
  const ValueHistoryOptions& options_;
};

}  // namespace

Result<ValueHistory> build_value_history(Trace& trace, const SymbolLookup& lookup, const ValueHistoryOptions& options) {
  StackSymbols symbols(trace.tables(), lookup);
  auto choice = choose_stacks(trace, options.filter, symbols);
  if (!choice) return tl::unexpected<Error>(std::move(choice).error());
  LivesOfValue lives(options.value, options.top);
  LifeGate gate(trace.tables(), options.filter, *choice, lives);
  HistoryReplay replay(trace, gate, gate, options);
  CULPRIT_TRY(replay.run());

  std::vector<StackId> stacks;
  for (const HandleLife& life : lives.found.rows) {
    stacks.push_back(life.created_stack);
    stacks.push_back(life.closed_stack);
  }
  for (const HandleEvent& event : replay.vain_closes.rows) stacks.push_back(event.stack);
  symbols.prepare(stacks);

  const TraceWords words{trace.tables(), replay.span().start};
  ValueHistory history;
  history.value = options.value;
  history.lives_in_all = lives.found.in_all;
  history.vain_closes_in_all = replay.vain_closes.in_all;
  uint64_t nameless = 0;
  for (const HandleLife& life : lives.found.rows) {
    const ValueLife& added = history.lives.emplace_back(ValueLife{
        report_handle(words, life), symbols.report_stack(life.created_stack), symbols.report_stack(life.closed_stack)});
    nameless += nameless_frames(added.creating_stack) + nameless_frames(added.closing_stack);
  }
  std::stable_sort(history.lives.begin(), history.lives.end(),
                   [](const ValueLife& a, const ValueLife& b) { return a.handle.created < b.handle.created; });
  for (const HandleEvent& event : replay.vain_closes.rows) {
    history.vain_closes.push_back(
        {words.seconds(event.time), words.process(event.process), event.tid, symbols.report_stack(event.stack)});
    nameless += nameless_frames(history.vain_closes.back().stack);
  }
  history.basis = basis_of(trace, replay, options.filter, nameless);
  return history;
}

}  // namespace culprit
