#include "analysis/trace_words.h"
#include "view/column_json.h"
#include "view/csv.h"
#include "view/diff_views.h"
#include "view/report_json.h"

namespace culprit {

namespace {

Json opened_json(const OpenedGroup& group) {
  return {{"count", group.count},
          {"at_exit", group.at_exit},
          {"type", utf8(group.type)},
          {"first_created", number_or_null(group.first_created)},
          {"last_created", number_or_null(group.last_created)},
          {"example", example_json(group.example)},
          {"stack", frames_json(group.stack)},
          {"truncated", group.stack.truncated},
          {"blamed", blamed_json(group.stack)}};
}

Json changed_json(const ChangedGroup& group) {
  return {{"count", group.count},
          {"type", utf8(group.type)},
          {"how_closed", word(name_of(group.how))},
          {"example", example_json(group.example)},
          {"closing_stack", frames_json(group.closing_stack)},
          {"blamed", blamed_json(group.closing_stack)}};
}

Json side_json(const DiffSide& side) { return {{"count", side.count}, {"created", side.created}}; }

Json recording_side(const AnswerBasis& basis, const DiffSide& total, const std::string& path) {
  return {{"target", utf8(path)},
          {"exact", basis.exact},
          {"losses", losses_json(basis.losses)},
          {"recording", recording_json(basis)},
          {"window", window_json(basis)},
          {"count", total.count},
          {"created", total.created}};
}

Json row_json(const DiffRow& row) {
  return {{"change", name_of(row.change)},    {"type", utf8(row.type)},          {"growth", row.growth()},
          {"before", side_json(row.before)},  {"after", side_json(row.after)},   {"stack", frames_json(row.stack)},
          {"truncated", row.stack.truncated}, {"blamed", blamed_json(row.stack)}};
}

}  // namespace

std::string handle_diff_as_json(const HandleDiff& diff, const MomentNames& names, const std::string& target) {
  Json answer = answer_json(diff.basis, target);
  answer["moments"] = {{"from", utf8(names.from)}, {"to", utf8(names.to)}};
  answer["opened"] = {{"count", diff.still_open + diff.at_exit},
                      {"still_open", diff.still_open},
                      {"at_exit", diff.at_exit},
                      {"groups", list_json(diff.opened, opened_json)},
                      {"groups_hidden", diff.opened_groups - diff.opened.size()}};
  answer["between"] = {{"created", diff.made}, {"closed", diff.closed}, {"inherited", diff.inherited}};
  answer["older"] = {{"count", diff.older},
                     {"still_open", diff.older_kept},
                     {"closed_by", counts_json<HowClosed>(diff.older_by)},
                     {"groups", list_json(diff.changed, changed_json)},
                     {"groups_hidden", diff.changed_groups - diff.changed.size()}};
  return json_text(answer);
}

std::string recording_diff_as_json(const RecordingDiff& diff, const std::string& before, const std::string& after) {
  Json answer = {{"schema", json_schema},
                 {"target", utf8(after)},
                 {"exact", is_exact(diff.losses)},
                 {"losses", losses_json(diff.losses)},
                 {"before", recording_side(diff.before, diff.total_before, before)},
                 {"after", recording_side(diff.after, diff.total_after, after)}};
  Json changes = Json::object();
  for (size_t i = 0; i < stack_change_count; ++i) changes[name_of(static_cast<StackChange>(i))] = diff.rows_by[i];
  answer["changes"] = changes;
  answer["groups"] = list_json(diff.rows, row_json);
  answer["groups_hidden"] = diff.rows_hidden;
  answer["modules_by_name"] = list_json(diff.modules_by_name, utf8);
  return json_text(answer);
}

std::string recording_diff_as_csv(const RecordingDiff& diff) {
  CsvRow heads;
  for (const char* head : {"change", "type", "count_before", "count_after", "created_before", "created_after", "stack"})
    heads.text(head);
  std::string text = std::move(heads).line();
  for (const DiffRow& row : diff.rows) {
    CsvRow cells;
    cells.text(name_of(row.change)).text(row.type).number(row.before.count).number(row.after.count);
    cells.number(row.before.created).number(row.after.created).text(stack_cell(row.stack));
    text += std::move(cells).line();
  }
  return text;
}

}  // namespace culprit
