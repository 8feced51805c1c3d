// Handles grouped by any columns in any order, as a tree: WPA's Handles table as plain data.
#pragma once

#include <vector>

#include "analysis/answer_basis.h"
#include "analysis/column_value.h"
#include "analysis/life_filter.h"
#include "analysis/life_groups.h"

namespace culprit {

struct HandlePivotOptions {
  std::vector<HandleColumn> columns = default_columns();
  LifeFilter filter;
  size_t top_rows = 0;    // keep so many rows beside each other, and three times so many in all; 0: all
  size_t top_groups = 0;  // keep so many of the groups at its ends; 0: all
};

struct PivotNode {
  ColumnValue value;  // the root has none
  LifeCounts counts;
  double first_created = 0, last_created = 0;
  HandleExample example;            // the oldest outstanding handle; at the tree's ends only
  std::vector<PivotNode> children;  // of the next column; most outstanding first
  uint64_t folded = 0;              // children that were not kept: the smaller ones, or all
  LifeCounts folded_counts;
};

struct HandlePivot {
  AnswerBasis basis;
  std::vector<HandleColumn> columns;
  Lives lives = Lives::outstanding;
  PivotNode root;
  uint64_t groups = 0;      // ends of the tree, those not kept, too
  uint64_t existing = 0;    // outstanding ones that were there before the recording: in no group
  uint64_t older = 0;       // outstanding ones made before the window: in no group
  LifeCounts beyond_limit;  // lives of more groups than are told apart: in no group
};

// Memory is what is open at one time, and the groups. Replays the recording once, or twice when the filter asks for
// stacks.
Result<HandlePivot> build_handle_pivot(Trace& trace, const SymbolLookup& lookup, const HandlePivotOptions& options);

}  // namespace culprit
