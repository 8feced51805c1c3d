// Handles grouped by any columns: a tree for people, groups for programs, rows for spreadsheets.
#pragma once

#include <string>

#include "analysis/handle_pivot.h"
#include "view/text_style.h"

namespace culprit {

// One row of the tree a line; what is its parent's only child stands on its line.
std::string pivot_as_text(const HandlePivot& pivot, const TextStyle& style);
std::string pivot_as_json(const HandlePivot& pivot, const std::string& target);
// One row per group, under a row of headings.
std::string pivot_as_csv(const HandlePivot& pivot);

// "still open", "worker (pid 12)", "made by worker (pid 12)" …: what stands in a column, for people.
std::string value_words(const ColumnValue& value, size_t columns, bool unicode);

}  // namespace culprit
