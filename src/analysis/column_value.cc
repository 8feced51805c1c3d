#include "analysis/column_value.h"

#include <fmt/format.h>

#include <array>

namespace culprit {

namespace {

constexpr std::array<std::string_view, 8> state_names{
    "", "still open", "hidden by exit", "vanished", "before the recording", "unknown origin", "unseen", "unknown"};

ColumnValue process_value(HandleColumn column, ProcessId process, const TraceWords& words) {
  ColumnValue value{.column = column};
  const ProcessCount named = words.process(process);
  value.text = named.name;
  value.number = named.pid;
  if (named.pid == 0) value.state = ColumnState::unknown;
  return value;
}

ColumnValue closing_value(const HandleLife& life, const TraceWords& words) {
  ColumnState state = ColumnState::none;
  if (life.how_closed == HowClosed::still_open) state = ColumnState::still_open;
  if (life.how_closed == HowClosed::exit) state = ColumnState::hidden_by_exit;
  if (life.how_closed == HowClosed::vanished) state = ColumnState::vanished;
  if (state != ColumnState::none) return {.column = HandleColumn::closing, .state = state};
  return process_value(HandleColumn::closing, life.closing, words);
}

ColumnValue creating_value(const HandleLife& life, const TraceWords& words) {
  if (life.creating != ProcessId::none) return process_value(HandleColumn::creating, life.creating, words);
  ColumnState state = ColumnState::unknown;
  if (life.how_created == HowCreated::existing) state = ColumnState::before_recording;
  if (life.how_created == HowCreated::unknown_origin) state = ColumnState::unknown_origin;
  if (life.how_created == HowCreated::inherit) state = ColumnState::unseen;
  return {.column = HandleColumn::creating, .state = state};
}

ColumnValue text_value(HandleColumn column, std::string text) {
  const ColumnState state = text.empty() ? ColumnState::unknown : ColumnState::none;
  return {.column = column, .state = state, .text = std::move(text)};
}

ColumnValue stack_value(HandleColumn column, ReportStack stack) {
  const ColumnState state = stack.frames.empty() ? ColumnState::unknown : ColumnState::none;
  return {.column = column, .state = state, .stack = std::move(stack)};
}

const ReportFrame* frame_to_blame(const ReportStack& stack) {
  return stack.blamed && *stack.blamed < stack.frames.size() ? &stack.frames[*stack.blamed] : nullptr;
}

}  // namespace

std::string_view name_of(ColumnState state) { return state_names.at(static_cast<size_t>(state)); }

std::string blamed_module(const ReportStack& stack) {
  const ReportFrame* frame = frame_to_blame(stack);
  return frame ? frame->module : "";
}

std::string blamed_function(const ReportStack& stack) {
  const ReportFrame* frame = frame_to_blame(stack);
  if (!frame) return "";
  if (!frame->function.empty()) return frame->function;
  if (frame->module.empty()) return fmt::format("{:#x}", frame->offset);
  return fmt::format("{}+{:#x}", frame->module.substr(frame->module.rfind('/') + 1), frame->offset);
}

ColumnValue value_of(HandleColumn column, const HandleLife& life, const ColumnSource& source) {
  const TraceWords& words = source.words;
  switch (column) {
    case HandleColumn::closing:
      return closing_value(life, words);
    case HandleColumn::owning:
      return process_value(column, life.owning, words);
    case HandleColumn::creating:
      return creating_value(life, words);
    case HandleColumn::program:
      return text_value(column, words.process(life.owning).name);
    case HandleColumn::type:
      return text_value(column, words.text(life.type));
    case HandleColumn::name:
      return text_value(column, words.text(life.name));
    case HandleColumn::how:
      return {.column = column, .how_created = life.how_created, .how_closed = life.how_closed};
    case HandleColumn::object:
      return {.column = column, .text = words.text(life.name), .number = life.object, .inode = life.inode};
    case HandleColumn::thread:
      return {.column = column,
              .state = life.created_tid == 0 ? ColumnState::unknown : ColumnState::none,
              .text = words.text(source.replay.thread_name(life.creating, life.created_tid)),
              .number = life.created_tid};
    case HandleColumn::stack:
      return stack_value(column, source.symbols.report_stack(life.created_stack));
    case HandleColumn::closing_stack:
      return stack_value(column, source.symbols.report_stack(life.closed_stack));
    case HandleColumn::module:
      return text_value(column, blamed_module(source.symbols.report_stack(life.created_stack)));
    case HandleColumn::function:
      return text_value(column, blamed_function(source.symbols.report_stack(life.created_stack)));
  }
  return {};
}

}  // namespace culprit
