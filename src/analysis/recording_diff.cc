#include "analysis/recording_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>

#include "analysis/life_groups.h"
#include "analysis/stack_signatures.h"

namespace culprit {

namespace {

constexpr std::array<std::string_view, stack_change_count> change_names{"new", "grew", "shrank", "went", "same"};

class MadeHere final : public HandleLifeSink {
 public:
  void on_life(const HandleLife& life) override {
    if (made_here(life.how_created)) groups.on_life(life);
  }
  LifeGroups groups{{HandleColumn::type, HandleColumn::stack}};
};

// One of the two recordings, and what was found in it.
class Side {
 public:
  Side(Trace& trace, const SymbolLookup& lookup, const LifeFilter& filter)
      : trace_(trace), symbols_(trace.tables(), lookup), filter_(filter), replay_(trace, gate_, filter.to) {
    filter_.lives = Lives::all;
  }
  Side(const Side&) = delete;  // its parts point at each other
  Side& operator=(const Side&) = delete;

  Result<void> run() {
    auto choice = choose_stacks(trace_, filter_, symbols_);
    if (!choice) return tl::unexpected<Error>(std::move(choice).error());
    choice_ = std::move(*choice);
    return replay_.run();
  }

  StackSymbols& symbols() { return symbols_; }
  const LifeGroups& groups() const { return made_.groups; }
  const TraceTables& tables() const { return trace_.tables(); }
  std::string type(size_t group) const { return words().text(groups().row(group).example.type); }
  StackId stack(size_t group) const { return groups().row(group).example.created_stack; }
  TraceWords words() const { return {trace_.tables(), replay_.span().start}; }
  AnswerBasis basis(uint64_t nameless) const {
    std::vector<Loss> own;
    if (uint64_t lives = groups().beyond_limit().created(); lives != 0) {
      own.push_back({LossKind::memory_limit, lives, ProcessId::none, "handles of more groups than are told apart"});
    }
    return basis_of(trace_, replay_, filter_, nameless, std::move(own));
  }

 private:
  Trace& trace_;
  StackSymbols symbols_;
  LifeFilter filter_;
  StackChoice choice_;
  MadeHere made_;
  LifeGate gate_{trace_.tables(), filter_, choice_, made_};
  LifeReplay replay_;
};

// The same in two recordings when type and stack are.
class Signatures {
 public:
  Signatures(Side& side, const TraceTables& other) : side_(side), stacks_(side.symbols(), side.tables(), other) {}

  void prepare() {
    std::vector<StackId> stacks;
    for (size_t group = 0; group < side_.groups().size(); ++group) stacks.push_back(side_.stack(group));
    stacks_.prepare(stacks);
  }
  std::string of(size_t group) const { return side_.type(group) + stacks_.of(side_.stack(group)); }

 private:
  Side& side_;
  StackSignatures stacks_;
};

struct Row {
  DiffSide before, after;
  size_t group = 0;  // of the side after, if it is there
  bool in_after = false;
};

StackChange change_of(const Row& row) {
  if (row.before.count == row.after.count) return StackChange::same;
  if (row.before.count == 0) return StackChange::appeared;
  if (row.after.count == 0) return StackChange::went;
  return row.before.count < row.after.count ? StackChange::grew : StackChange::shrank;
}

void add_side(const LifeGroups& groups, size_t group, DiffSide& side) {
  side.count += groups.row(group).counts.outstanding();
  side.created += groups.row(group).counts.created();
}

std::vector<Row> compare(Side& before, Side& after) {
  Signatures before_signatures(before, after.tables()), after_signatures(after, before.tables());
  before_signatures.prepare();
  after_signatures.prepare();
  std::unordered_map<std::string, size_t> index;
  std::vector<Row> rows;
  const auto row_of = [&](std::string signature) -> Row& {
    auto [place, is_new] = index.try_emplace(std::move(signature), rows.size());
    if (is_new) rows.emplace_back();
    return rows[place->second];
  };
  for (size_t group = 0; group < after.groups().size(); ++group) {
    Row& row = row_of(after_signatures.of(group));
    row.group = group;
    row.in_after = true;
    add_side(after.groups(), group, row.after);
  }
  for (size_t group = 0; group < before.groups().size(); ++group) {
    Row& row = row_of(before_signatures.of(group));
    if (!row.in_after) row.group = group;
    add_side(before.groups(), group, row.before);
  }
  return rows;
}

int64_t growth(const Row& row) {
  return static_cast<int64_t>(row.after.count) - static_cast<int64_t>(row.before.count);
}

// Keeps those which changed most, in the order of the report.
void choose_rows(std::vector<Row>& rows, const RecordingDiffOptions& options, RecordingDiff& diff) {
  for (const Row& row : rows) ++diff.rows_by[static_cast<size_t>(change_of(row))];
  if (!options.all) std::erase_if(rows, [](const Row& row) { return change_of(row) == StackChange::same; });
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return std::pair(std::abs(growth(a)), a.after.created) > std::pair(std::abs(growth(b)), b.after.created);
  });
  if (options.top != 0 && rows.size() > options.top) {
    diff.rows_hidden = rows.size() - options.top;
    rows.resize(options.top);
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return growth(a) > growth(b); });
}

}  // namespace

std::string_view name_of(StackChange change) { return change_names.at(static_cast<size_t>(change)); }

Result<RecordingDiff> diff_recordings(Trace& before, Trace& after, const SymbolLookup& lookup,
                                      const RecordingDiffOptions& options) {
  Side first(before, lookup, options.before), second(after, lookup, options.after);
  CULPRIT_TRY(first.run());
  CULPRIT_TRY(second.run());
  RecordingDiff diff;
  for (size_t group = 0; group < first.groups().size(); ++group) add_side(first.groups(), group, diff.total_before);
  for (size_t group = 0; group < second.groups().size(); ++group) add_side(second.groups(), group, diff.total_after);
  std::vector<Row> rows = compare(first, second);
  choose_rows(rows, options, diff);

  std::vector<StackId> first_stacks, second_stacks;
  for (const Row& row : rows) {
    (row.in_after ? second_stacks : first_stacks).push_back((row.in_after ? second : first).stack(row.group));
  }
  first.symbols().prepare(first_stacks);
  second.symbols().prepare(second_stacks);
  uint64_t nameless_first = 0, nameless_second = 0;
  for (const Row& row : rows) {
    Side& side = row.in_after ? second : first;
    diff.rows.push_back({change_of(row), side.type(row.group), row.before, row.after,
                         side.symbols().report_stack(side.stack(row.group))});
    (row.in_after ? nameless_second : nameless_first) += nameless_frames(diff.rows.back().stack);
  }
  diff.modules_by_name = names_of_different_builds(before.tables(), after.tables());
  diff.before = first.basis(nameless_first);
  diff.after = second.basis(nameless_second);
  diff.losses = losses_of_both(diff.before.losses, diff.after.losses);
  return diff;
}

}  // namespace culprit
