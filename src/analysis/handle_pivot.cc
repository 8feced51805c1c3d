#include "analysis/handle_pivot.h"

#include <algorithm>
#include <unordered_map>

#include "analysis/pivot_tree.h"
#include "base/string_pool.h"

namespace culprit {

namespace {

// Groups that are equal in words become one.
LifeGroups merged_by_words(const LifeGroups& groups, StackSymbols& symbols, const ColumnSource& source) {
  std::vector<StackId> stacks;
  for (size_t group = 0; group < groups.size(); ++group) stacks.push_back(groups.row(group).example.created_stack);
  const std::vector<HandleColumn>& columns = groups.columns();
  if (std::any_of(columns.begin(), columns.end(), needs_symbols)) symbols.prepare(stacks);
  StringPool texts;
  std::unordered_map<uint64_t, uint64_t> known;  // (column, word) -> text
  LifeGroups merged(columns, LifeGroups::default_limit);
  std::vector<uint64_t> words;
  for (size_t group = 0; group < groups.size(); ++group) {
    words.assign(groups.words(group).begin(), groups.words(group).end());
    for (size_t i = 0; i < words.size(); ++i) {
      if (!is_word(columns[i])) continue;
      auto [place, is_new] = known.try_emplace(words[i] << 8 | i);
      if (is_new) place->second = texts.intern(value_of(columns[i], groups.row(group).example, source).text);
      words[i] = place->second;
    }
    merged.add(words, groups.row(group));
  }
  return merged;
}

class Emitter {
 public:
  Emitter(const PivotTree& tree, const LifeGroups& groups, const ColumnSource& source)
      : tree_(tree), groups_(groups), source_(source) {}

  PivotNode emit(uint32_t at) {
    const PivotTree::Node& node = tree_.nodes()[at];
    PivotNode out;
    out.counts = node.counts;
    if (node.counts.created() != 0) {
      out.first_created = source_.words.seconds(node.first);
      out.last_created = source_.words.seconds(node.last);
    }
    if (node.depth != 0) {
      const HandleLife& example = groups_.row(node.first_group).example;
      out.value = value_of(groups_.columns()[node.depth - 1], example, source_);
      nameless += nameless_frames(out.value.stack);
      if (node.children.empty()) out.example = example_of(source_.words, example);
    }
    for (uint32_t child : node.children) {
      if (tree_.nodes()[child].kept) {
        out.children.push_back(emit(child));
      } else {
        ++out.folded;
        out.folded_counts += tree_.nodes()[child].counts;
      }
    }
    return out;
  }
  uint64_t nameless = 0;

 private:
  const PivotTree& tree_;
  const LifeGroups& groups_;
  const ColumnSource& source_;
};

// Only what is kept is worth the time that symbols cost.
void prepare_kept(const PivotTree& tree, const LifeGroups& groups, StackSymbols& symbols) {
  std::vector<StackId> stacks;
  for (const PivotTree::Node& node : tree.nodes()) {
    if (!node.kept || node.depth == 0) continue;
    const HandleColumn column = groups.columns()[node.depth - 1];
    const HandleLife& example = groups.row(node.first_group).example;
    if (column == HandleColumn::stack) stacks.push_back(example.created_stack);
    if (column == HandleColumn::closing_stack) stacks.push_back(example.closed_stack);
  }
  symbols.prepare(stacks);
}

}  // namespace

Result<HandlePivot> build_handle_pivot(Trace& trace, const SymbolLookup& lookup, const HandlePivotOptions& options) {
  StackSymbols symbols(trace.tables(), lookup);
  auto choice = choose_stacks(trace, options.filter, symbols);
  if (!choice) return tl::unexpected<Error>(std::move(choice).error());
  LifeGroups groups(options.columns);
  LifeGate gate(trace.tables(), options.filter, *choice, groups);
  LifeReplay replay(trace, gate, options.filter.to);
  CULPRIT_TRY(replay.run());

  HandlePivot pivot;
  pivot.columns = options.columns;
  pivot.lives = options.filter.lives;
  pivot.existing = gate.existing;
  pivot.older = gate.older;
  pivot.beyond_limit = groups.beyond_limit();
  const ColumnSource source{{trace.tables(), replay.span().start}, replay, symbols};
  if (std::any_of(options.columns.begin(), options.columns.end(), is_word)) {
    groups = merged_by_words(groups, symbols, source);
  }
  pivot.groups = groups.size();
  PivotTree tree(groups);
  if (options.top_rows != 0) tree.keep_rows(options.top_rows);
  if (options.top_groups != 0) tree.keep_groups(options.top_groups);
  prepare_kept(tree, groups, symbols);
  Emitter emitter(tree, groups, source);
  pivot.root = emitter.emit(0);
  pivot.root.counts += pivot.beyond_limit;
  std::vector<Loss> own;
  if (uint64_t lives = pivot.beyond_limit.created(); lives != 0) {
    own.push_back({LossKind::memory_limit, lives, ProcessId::none, "handles of more groups than are told apart"});
  }
  pivot.basis = basis_of(trace, replay, options.filter, emitter.nameless, std::move(own));
  return pivot;
}

}  // namespace culprit
