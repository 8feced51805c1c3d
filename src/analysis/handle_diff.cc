#include "analysis/handle_diff.h"

#include <algorithm>

#include "analysis/life_groups.h"

namespace culprit {

namespace {

class Moments final : public HandleLifeSink {
 public:
  explicit Moments(Time from) : from_(from) {}

  void on_life(const HandleLife& life) override {
    const bool is_older = life.made < from_ || !creation_seen(life);
    if (!is_older) return on_new(life);
    // A copy that a fork made since: its original is the older one.
    if (life.how_created == HowCreated::inherit && life.created >= from_) {
      ++diff.inherited;
    } else if (life.how_closed == HowClosed::still_open || life.closed >= from_) {
      on_older(life);
    }
  }

  HandleDiff diff;
  LifeGroups opened{{HandleColumn::type, HandleColumn::stack}};
  LifeGroups changed{{HandleColumn::type, HandleColumn::how, HandleColumn::closing_stack}};

 private:
  void on_new(const HandleLife& life) {
    ++diff.made;
    if (!left_open(life.how_closed)) {
      ++diff.closed;
      return;
    }
    ++(life.how_closed == HowClosed::exit ? diff.at_exit : diff.still_open);
    opened.on_life(life);
  }

  void on_older(const HandleLife& life) {
    ++diff.older;
    if (life.how_closed == HowClosed::still_open) {
      ++diff.older_kept;
      return;
    }
    ++diff.older_by[static_cast<size_t>(life.how_closed)];
    if (life.how_closed != HowClosed::exit) changed.on_life(life);
  }

  Time from_;
};

// Groups with the most lives first, up to `top`.
std::vector<uint32_t> largest(const LifeGroups& groups, size_t top) {
  std::vector<uint32_t> order(groups.size());
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return groups.row(a).counts.created() > groups.row(b).counts.created();
  });
  if (top != 0 && order.size() > top) order.resize(top);
  return order;
}

}  // namespace

Result<HandleDiff> diff_moments(Trace& trace, const SymbolLookup& lookup, const HandleDiffOptions& options) {
  StackSymbols symbols(trace.tables(), lookup);
  LifeFilter filter = options.filter;
  filter.from = INT64_MIN;
  filter.lives = Lives::all;
  auto choice = choose_stacks(trace, filter, symbols);
  if (!choice) return tl::unexpected<Error>(std::move(choice).error());
  Moments moments(options.filter.from);
  LifeGate gate(trace.tables(), filter, *choice, moments);
  LifeReplay replay(trace, gate, filter.to);
  CULPRIT_TRY(replay.run());

  HandleDiff diff = std::move(moments.diff);
  const std::vector<uint32_t> opened = largest(moments.opened, options.top);
  const std::vector<uint32_t> changed = largest(moments.changed, options.top);
  std::vector<StackId> stacks;
  for (uint32_t group : opened) stacks.push_back(moments.opened.row(group).example.created_stack);
  for (uint32_t group : changed) stacks.push_back(moments.changed.row(group).example.closed_stack);
  symbols.prepare(stacks);

  const TraceWords words{trace.tables(), replay.span().start};
  uint64_t nameless = 0;
  for (uint32_t group : opened) {
    const LifeGroupRow& row = moments.opened.row(group);
    diff.opened.push_back({words.text(row.example.type), row.counts.outstanding(), row.counts.at_exit,
                           words.seconds(row.first), words.seconds(row.last), example_of(words, row.example),
                           symbols.report_stack(row.example.created_stack)});
    nameless += nameless_frames(diff.opened.back().stack);
  }
  for (uint32_t group : changed) {
    const LifeGroupRow& row = moments.changed.row(group);
    diff.changed.push_back({words.text(row.example.type), row.counts.created(), row.example.how_closed,
                            example_of(words, row.example), symbols.report_stack(row.example.closed_stack)});
    nameless += nameless_frames(diff.changed.back().closing_stack);
  }
  diff.opened_groups = moments.opened.size();
  diff.changed_groups = moments.changed.size();
  diff.basis = basis_of(trace, replay, options.filter, nameless);
  return diff;
}

}  // namespace culprit
