#include "analysis/handle_columns.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>

namespace culprit {

namespace {

constexpr std::array<std::string_view, handle_column_count> names{
    "closing", "owning", "program", "type",   "creating", "stack",        "how",
    "object",  "name",   "thread",  "module", "function", "closing_stack"};

std::optional<HandleColumn> column_named(std::string_view word) {
  if (word == "process") return HandleColumn::owning;
  auto found = std::find(names.begin(), names.end(), word);
  if (found == names.end()) return {};
  return static_cast<HandleColumn>(found - names.begin());
}

}  // namespace

std::string_view name_of(HandleColumn column) { return names.at(static_cast<size_t>(column)); }

bool needs_symbols(HandleColumn column) { return column == HandleColumn::module || column == HandleColumn::function; }

bool is_word(HandleColumn column) { return needs_symbols(column) || column == HandleColumn::program; }

std::vector<HandleColumn> default_columns() {
  return {HandleColumn::closing, HandleColumn::owning, HandleColumn::type, HandleColumn::creating, HandleColumn::stack};
}

Result<std::vector<HandleColumn>> parse_columns(std::string_view list) {
  if (list == "default") return default_columns();
  std::vector<HandleColumn> columns;
  while (true) {
    const size_t comma = list.find(',');
    const std::string_view word = list.substr(0, comma);
    const auto column = column_named(word);
    if (!column) {
      return fail(ErrorKind::usage, fmt::format("handles cannot be grouped by '{}', only by {}", word,
                                                fmt::join(names.begin(), names.end(), ", ")));
    }
    if (std::find(columns.begin(), columns.end(), *column) != columns.end()) {
      return fail(ErrorKind::usage, fmt::format("'{}' stands twice in what to group by", word));
    }
    columns.push_back(*column);
    if (comma == std::string_view::npos) return columns;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace culprit
