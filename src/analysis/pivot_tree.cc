#include "analysis/pivot_tree.h"

#include <algorithm>
#include <queue>
#include <unordered_map>

namespace culprit {

namespace {

struct ChildKey {
  uint32_t parent;
  uint64_t word;
  bool operator==(const ChildKey&) const = default;
};
struct ChildHash {
  size_t operator()(const ChildKey& key) const {
    const uint64_t hash = (key.word ^ uint64_t{key.parent} << 40 ^ key.parent) * 0x9e3779b97f4a7c15;
    return hash ^ hash >> 32;
  }
};

}  // namespace

PivotTree::PivotTree(const LifeGroups& groups) {
  std::unordered_map<ChildKey, uint32_t, ChildHash> index;
  nodes_.emplace_back();
  const auto depth = static_cast<uint32_t>(groups.columns().size());
  for (uint32_t group = 0; group < groups.size(); ++group) {
    const LifeGroupRow& row = groups.row(group);
    uint32_t at = 0;
    for (uint32_t level = 0;; ++level) {
      Node& node = nodes_[at];
      node.counts += row.counts;
      node.first = std::min(node.first, row.first);
      node.last = std::max(node.last, row.last);
      if (level == depth) break;
      auto [place, is_new] =
          index.try_emplace(ChildKey{at, groups.words(group)[level]}, static_cast<uint32_t>(nodes_.size()));
      if (is_new) {
        node.children.push_back(place->second);
        Node child;
        child.parent = at;
        child.depth = level + 1;
        child.word = groups.words(group)[level];
        child.first_group = group;
        nodes_.push_back(std::move(child));  // `node` is not valid any more
      }
      at = place->second;
    }
  }
  for (Node& node : nodes_) {
    std::sort(node.children.begin(), node.children.end(), [&](uint32_t a, uint32_t b) { return more_important(a, b); });
  }
}

// Most outstanding, then most in all, then the outer one, then the one that came first, so that an answer is always the
// same.
bool PivotTree::more_important(uint32_t a, uint32_t b) const {
  const auto rank = [&](uint32_t at) {
    const Node& node = nodes_[at];
    return std::tuple(~node.counts.outstanding(), ~node.counts.created(), node.depth, at);
  };
  return rank(a) < rank(b);
}

// Whether opening a node says much: what is not the main thing, and falls into crumbs, does not.
bool PivotTree::worth_opening(const Node& node, size_t shown) const {
  if (node.depth == 0 || node.counts.outstanding() * 2 >= nodes_[0].counts.outstanding()) return true;
  uint64_t covered = 0;
  for (size_t i = 0; i < shown; ++i) covered += nodes_[node.children[i]].counts.outstanding();
  return covered * 4 >= node.counts.outstanding();
}

void PivotTree::keep_rows(size_t siblings) {
  size_t rows_left = siblings * 3;
  for (Node& node : nodes_) node.kept = node.depth == 0;
  const auto comes_later = [&](uint32_t a, uint32_t b) { return more_important(b, a); };
  std::priority_queue<uint32_t, std::vector<uint32_t>, decltype(comes_later)> waiting(comes_later);
  waiting.push(0);
  while (!waiting.empty()) {
    const Node& node = nodes_[waiting.top()];
    waiting.pop();
    size_t shown = std::min(node.children.size(), siblings);
    if (node.children.size() == shown + 1) ++shown;  // "1 more" would take as much room
    const size_t rows = node.children.size() <= 1 ? 0 : shown + (shown < node.children.size() ? 1 : 0);
    if (node.depth != 0 && (rows > rows_left || !worth_opening(node, shown))) continue;
    rows_left -= std::min(rows_left, rows);
    for (size_t i = 0; i < shown; ++i) {
      nodes_[node.children[i]].kept = true;
      waiting.push(node.children[i]);
    }
  }
}

void PivotTree::keep_groups(size_t count) {
  std::vector<uint32_t> ends;
  for (uint32_t i = 1; i < nodes_.size(); ++i) {
    if (nodes_[i].children.empty()) ends.push_back(i);
  }
  std::sort(ends.begin(), ends.end(), [&](uint32_t a, uint32_t b) { return more_important(a, b); });
  if (ends.size() > count) ends.resize(count);
  for (Node& node : nodes_) node.kept = false;
  for (uint32_t end : ends) keep_path(end);
}

void PivotTree::keep_path(uint32_t node) {
  while (!nodes_[node].kept) {
    nodes_[node].kept = true;
    node = nodes_[node].parent;
  }
}

}  // namespace culprit
