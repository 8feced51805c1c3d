// The tree of a pivot while it is made: groups by their words, before anything is looked up.
#pragma once

#include <cstdint>
#include <vector>

#include "analysis/life_groups.h"

namespace culprit {

class PivotTree {
 public:
  struct Node {
    uint32_t parent = 0;
    uint32_t depth = 0;  // 0: the root; else its value is of column depth - 1
    uint64_t word = 0;
    uint32_t first_group = 0;  // of which it was made; at the ends the only one
    LifeCounts counts;
    Time first = INT64_MAX, last = INT64_MIN;
    std::vector<uint32_t> children;  // most outstanding first
    bool kept = true;
  };

  explicit PivotTree(const LifeGroups& groups);

  const std::vector<Node>& nodes() const { return nodes_; }  // [0] is the root
  // Keeps about three times so many rows, those that say most: from the root on always the node with most handles shows
  // its children, the `siblings` largest of them or none. What is its parent's only child comes free.
  void keep_rows(size_t siblings);
  // Keeps only the so many ends with most handles, and what leads to them.
  void keep_groups(size_t count);

 private:
  bool more_important(uint32_t a, uint32_t b) const;
  bool worth_opening(const Node& node, size_t shown) const;
  void keep_path(uint32_t node);

  std::vector<Node> nodes_;
};

}  // namespace culprit
