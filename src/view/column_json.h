// What stands in a column, as JSON and as CSV. For view/*.cc only.
#pragma once

#include <string_view>

#include "analysis/column_value.h"
#include "view/csv.h"
#include "view/json.h"

namespace culprit {

// Stacks give their frames; `truncated` and `blamed` of the creating one are the group's.
Json column_json(const ColumnValue& value);
void add_column_heads(CsvRow& row, HandleColumn column);
void add_column_cells(CsvRow& row, const ColumnValue& value);

// Functions innermost first, with "; " between them.
std::string stack_cell(const ReportStack& stack);

}  // namespace culprit
