// The groups at the ends of a pivot's tree, for programs and spreadsheets.
#include <algorithm>

#include "view/column_json.h"
#include "view/csv.h"
#include "view/pivot_views.h"
#include "view/report_json.h"

namespace culprit {

namespace {

struct Group {
  std::vector<const ColumnValue*> values;
  const PivotNode* end = nullptr;
};

void collect(const PivotNode& node, std::vector<const ColumnValue*>& path, std::vector<Group>& groups) {
  for (const PivotNode& child : node.children) {
    path.push_back(&child.value);
    if (child.children.empty() && child.folded == 0) groups.push_back({path, &child});
    collect(child, path, groups);
    path.pop_back();
  }
}

// Most outstanding first.
std::vector<Group> groups_of(const HandlePivot& pivot) {
  std::vector<Group> groups;
  std::vector<const ColumnValue*> path;
  collect(pivot.root, path, groups);
  std::stable_sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) {
    const LifeCounts &left = a.end->counts, &right = b.end->counts;
    return std::pair(left.outstanding(), left.created()) > std::pair(right.outstanding(), right.created());
  });
  return groups;
}

Json group_json(const Group& group) {
  const LifeCounts& counts = group.end->counts;
  Json json = {{"count", counts.outstanding()},
               {"still_open", counts.still_open},
               {"at_exit", counts.at_exit},
               {"created", counts.created()},
               {"closed", counts.closed}};
  for (const ColumnValue* value : group.values) {
    json[std::string(name_of(value->column))] = column_json(*value);
    if (value->column != HandleColumn::stack) continue;
    json["truncated"] = value->stack.truncated;
    json["blamed"] = blamed_json(value->stack);
  }
  json["first_created"] = number_or_null(group.end->first_created);
  json["last_created"] = number_or_null(group.end->last_created);
  json["example"] = example_json(group.end->example);
  return json;
}

Json counts_json(const LifeCounts& counts) {
  return {{"outstanding", counts.outstanding()},
          {"still_open", counts.still_open},
          {"at_exit", counts.at_exit},
          {"created", counts.created()},
          {"closed", counts.closed}};
}

}  // namespace

std::string pivot_as_json(const HandlePivot& pivot, const std::string& target) {
  Json answer = answer_json(pivot.basis, target);
  Json by = Json::array();
  for (HandleColumn column : pivot.columns) by.push_back(name_of(column));
  answer["by"] = by;
  const std::vector<Group> groups = groups_of(pivot);
  LifeCounts shown = pivot.beyond_limit;
  for (const Group& group : groups) shown += group.end->counts;
  Json totals = counts_json(pivot.root.counts);
  totals["groups"] = pivot.groups;
  totals["groups_hidden"] = pivot.groups - groups.size();
  totals["handles_hidden"] = pivot.root.counts.outstanding() - shown.outstanding();
  totals["existing"] = pivot.existing;
  totals["older"] = pivot.older;
  answer["totals"] = totals;
  answer["groups"] = list_json(groups, group_json);
  return json_text(answer);
}

std::string pivot_as_csv(const HandlePivot& pivot) {
  CsvRow heads;
  for (HandleColumn column : pivot.columns) add_column_heads(heads, column);
  for (const char* head : {"count", "still_open", "at_exit", "created", "closed", "first_created", "last_created"}) {
    heads.text(head);
  }
  std::string text = std::move(heads).line();
  for (const Group& group : groups_of(pivot)) {
    CsvRow row;
    for (const ColumnValue* value : group.values) add_column_cells(row, *value);
    const LifeCounts& counts = group.end->counts;
    row.number(counts.outstanding()).number(counts.still_open).number(counts.at_exit);
    row.number(counts.created()).number(counts.closed);
    row.number(group.end->first_created).number(group.end->last_created);
    text += std::move(row).line();
  }
  return text;
}

}  // namespace culprit
