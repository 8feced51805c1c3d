#include <fmt/format.h>

#include "symbols/function_name.h"
#include "view/answer_text.h"
#include "view/pivot_views.h"
#include "view/stack_text.h"

namespace culprit {

namespace {

std::string state_words(const ColumnValue& value) {
  switch (value.state) {
    case ColumnState::none:
      return "";
    case ColumnState::still_open:
    case ColumnState::hidden_by_exit:
      return std::string(name_of(value.state));
    case ColumnState::vanished:
      return "gone, unseen how";
    case ColumnState::before_recording:
      return "made before the recording";
    case ColumnState::unknown_origin:
      return "of unknown origin";
    case ColumnState::unseen:
      return "inherited, its making was not seen";
    case ColumnState::unknown:
      break;
  }
  switch (value.column) {
    case HandleColumn::closing:
      return "closed, unknown by whom";
    case HandleColumn::name:
      return "without a name";
    case HandleColumn::stack:
      return "no stack was taken";
    case HandleColumn::closing_stack:
      return "not closed by code that was seen";
    case HandleColumn::module:
    case HandleColumn::function:
      return "nobody to blame";
    default:
      return fmt::format("unknown {}", name_of(value.column));
  }
}

std::string object_words(const ColumnValue& value, size_t columns) {
  std::string words = fmt::format("object {}", value.number);
  if (value.inode != 0) words += fmt::format(" (inode {})", value.inode);
  if (value.text.empty()) return words;
  return fmt::format("{} {}", words, shown(value.text, columns > words.size() + 12 ? columns - words.size() - 1 : 12));
}

}  // namespace

std::string value_words(const ColumnValue& value, size_t columns, bool unicode) {
  if (value.state != ColumnState::none) return state_words(value);
  switch (value.column) {
    case HandleColumn::closing:
      return "closed by " + process_words(value.text, value.number, columns > 10 ? columns - 10 : 0);
    case HandleColumn::owning:
      return process_words(value.text, value.number, columns);
    case HandleColumn::creating:
      return "made by " + process_words(value.text, value.number, columns > 8 ? columns - 8 : 0);
    case HandleColumn::stack:
      return stack_phrase(value.stack, columns, unicode);
    case HandleColumn::closing_stack:
      return "closed in " + stack_phrase(value.stack, columns > 30 ? columns - 10 : 20, unicode);
    case HandleColumn::how:
      return fmt::format("{}, {}", name_of(value.how_created), name_of(value.how_closed));
    case HandleColumn::object:
      return object_words(value, columns);
    case HandleColumn::thread:
      return value.text.empty() ? fmt::format("thread {}", value.number)
                                : fmt::format("thread {} ({})", shown(value.text, 32), value.number);
    case HandleColumn::program:
    case HandleColumn::type:
    case HandleColumn::name:
    case HandleColumn::module:
      return shown(value.text, columns);
    case HandleColumn::function:
      return shown(without_parameters(value.text), columns);
  }
  return "";
}

}  // namespace culprit
