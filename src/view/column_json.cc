#include "view/column_json.h"

#include <fmt/format.h>

#include "view/report_json.h"

namespace culprit {

namespace {

// "still_open"; of an ordinary value `otherwise`.
std::string state_word(const ColumnValue& value, std::string_view otherwise) {
  return value.state == ColumnState::none ? std::string(otherwise) : word(name_of(value.state));
}

Json process_column(const ColumnValue& value, std::string_view otherwise) {
  Json json = {{"state", state_word(value, otherwise)}};
  if (value.state != ColumnState::none) return json;
  json["name"] = utf8(value.text);
  json["pid"] = value.number;
  return json;
}

std::string frame_cell(const ReportFrame& frame) {
  if (!frame.function.empty()) return frame.function;
  if (frame.module.empty()) return fmt::format("{:#x}", frame.offset);
  return fmt::format("{}+{:#x}", frame.module.substr(frame.module.rfind('/') + 1), frame.offset);
}

}  // namespace

Json column_json(const ColumnValue& value) {
  switch (value.column) {
    case HandleColumn::closing:
      return process_column(value, "closed");
    case HandleColumn::creating:
      return process_column(value, "made");
    case HandleColumn::owning:
      return {{"name", utf8(value.text)}, {"pid", value.number}};
    case HandleColumn::thread:
      return {{"name", utf8(value.text)}, {"tid", value.number}};
    case HandleColumn::object:
      return {{"object", value.number}, {"inode", value.inode}, {"name", utf8(value.text)}};
    case HandleColumn::how:
      return {{"created", word(name_of(value.how_created))}, {"closed", word(name_of(value.how_closed))}};
    case HandleColumn::stack:
    case HandleColumn::closing_stack:
      return frames_json(value.stack);
    case HandleColumn::program:
    case HandleColumn::type:
    case HandleColumn::name:
    case HandleColumn::module:
    case HandleColumn::function:
      return utf8(value.text);
  }
  return nullptr;
}

std::string stack_cell(const ReportStack& stack) {
  std::string cell;
  for (const ReportFrame& frame : stack.frames)
    cell += fmt::format("{}{}", cell.empty() ? "" : "; ", frame_cell(frame));
  return cell;
}

void add_column_heads(CsvRow& row, HandleColumn column) {
  row.text(name_of(column));
  const bool numbered = column == HandleColumn::closing || column == HandleColumn::owning ||
                        column == HandleColumn::creating || column == HandleColumn::thread;
  if (numbered) row.text(fmt::format("{}_{}", name_of(column), column == HandleColumn::thread ? "tid" : "pid"));
  if (column == HandleColumn::object) row.text("object_name");
}

void add_column_cells(CsvRow& row, const ColumnValue& value) {
  switch (value.column) {
    case HandleColumn::closing:
    case HandleColumn::creating:
    case HandleColumn::owning:
    case HandleColumn::thread:
      row.text(state_word(value, value.text));
      value.state == ColumnState::none ? row.number(value.number) : row.empty();
      return;
    case HandleColumn::object:
      row.number(value.number).text(value.text);
      return;
    case HandleColumn::how:
      row.text(fmt::format("{}, {}", name_of(value.how_created), name_of(value.how_closed)));
      return;
    case HandleColumn::stack:
    case HandleColumn::closing_stack:
      row.text(stack_cell(value.stack));
      return;
    case HandleColumn::program:
    case HandleColumn::type:
    case HandleColumn::name:
    case HandleColumn::module:
    case HandleColumn::function:
      row.text(value.text);
      return;
  }
}

}  // namespace culprit
