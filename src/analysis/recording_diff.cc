#include "analysis/recording_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <unordered_map>

#include "analysis/life_groups.h"

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

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// Whether the frames of a module can be told by its build id: the other recording has the same build.
class SameBuilds {
 public:
  SameBuilds(const TraceTables& here, const TraceTables& there) : same_(here.modules.size()) {
    std::set<std::string_view> builds;
    for (const Module& module : there.modules) builds.insert(module.build_id);
    for (size_t i = 1; i < here.modules.size(); ++i) {
      same_[i] = !here.modules[i].build_id.empty() && builds.contains(here.modules[i].build_id);
    }
  }
  bool operator()(ModuleId module) const { return index_of(module) < same_.size() && same_[index_of(module)]; }

 private:
  std::vector<bool> same_;
};

// The same in two recordings when type and stack are.
class Signatures {
 public:
  Signatures(Side& side, const TraceTables& other) : side_(side), same_(side.tables(), other) {}

  // Names cost time: only stacks with a frame that is told by name are looked up.
  void prepare() {
    std::vector<StackId> by_name;
    for (size_t group = 0; group < side_.groups().size(); ++group) {
      const StackId stack = side_.stack(group);
      if (!all_same(stack)) by_name.push_back(stack);
    }
    side_.symbols().prepare(by_name);
  }

  std::string of(size_t group) const {
    std::string signature = side_.type(group);
    for (const Frame& frame : frames(side_.stack(group))) {
      signature += '\n';
      if (same_(frame.module)) {
        signature += fmt::format("{}+{:x}", side_.tables().module(frame.module).build_id, frame.offset);
      } else {
        signature += named(frame);
      }
    }
    return signature;
  }

 private:
  std::vector<Frame> frames(StackId stack) const {
    if (index_of(stack) >= side_.tables().stacks.size()) return {};
    return side_.tables().stacks.frames(stack, StackSymbols::frame_limit);
  }
  bool all_same(StackId stack) const {
    const std::vector<Frame> all = frames(stack);
    return std::all_of(all.begin(), all.end(), [&](const Frame& frame) { return same_(frame.module); });
  }
  std::string named(const Frame& frame) const {
    std::string text;
    for (const ReportFrame& part : side_.symbols().report_frames(frame)) {
      text += fmt::format("{}!", file_name(part.module));
      text += part.function.empty() ? fmt::format("+{:x}", part.offset) : part.function;
    }
    return text;
  }

  Side& side_;
  SameBuilds same_;
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

// Builds of one file that differ, by its name.
std::vector<std::string> names_of_different_builds(const TraceTables& before, const TraceTables& after) {
  std::unordered_map<std::string, std::set<std::string>> builds;
  for (const Module& module : before.modules) {
    if (module.path.starts_with('/')) builds[module.path].insert(module.build_id);
  }
  std::set<std::string> names;
  for (const Module& module : after.modules) {
    auto found = builds.find(module.path);
    if (found != builds.end() && !found->second.contains(module.build_id)) names.insert(module.path);
  }
  return {names.begin(), names.end()};
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

std::vector<MergedLoss> losses_of_both(std::vector<MergedLoss> losses, const std::vector<MergedLoss>& others) {
  for (const MergedLoss& other : others) {
    auto place = std::find_if(losses.begin(), losses.end(), [&](const auto& loss) { return loss.kind >= other.kind; });
    if (place == losses.end() || place->kind != other.kind) place = losses.insert(place, {other.kind, 0, {}});
    place->count += other.count;
    for (const std::string& detail : other.details)
      if (std::find(place->details.begin(), place->details.end(), detail) == place->details.end())
        place->details.push_back(detail);
  }
  return losses;
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
