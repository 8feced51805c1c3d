#include "view/answer_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "view/stack_text.h"

namespace culprit {

namespace {

std::string listed(const std::vector<std::string>& words) {
  std::string list;
  for (const std::string& word : words) list += fmt::format("{}{}", list.empty() ? "" : " or ", shown(word, 40));
  return list;
}

}  // namespace

std::string filter_words(const LifeFilter& filter) {
  std::string words;
  if (!filter.processes.empty()) words += ", process " + listed(filter.processes);
  if (!filter.types.empty()) words += ", type " + listed(filter.types);
  if (filter.stack) words += fmt::format(", stack with '{}'", shown(filter.stack->text(), 60));
  if (filter.not_stack) words += fmt::format(", stack without '{}'", shown(filter.not_stack->text(), 60));
  if (filter.min_age != 0)
    words += fmt::format(", open for at least {}", duration_in_words(static_cast<double>(filter.min_age) / 1e9));
  return words;
}

std::string window_words(const AnswerBasis& basis) {
  if (basis.filter.from == INT64_MIN && basis.filter.to == INT64_MAX)
    return fmt::format("in {}", duration_in_words(basis.duration));
  return fmt::format("from {} to {}", duration_in_words(basis.from), duration_in_words(basis.to));
}

std::string process_words(std::string_view name, uint64_t pid, size_t columns) {
  const std::string number = fmt::format(" (pid {})", pid);
  const size_t room = columns > number.size() ? columns - number.size() : 0;
  return shown(name, std::clamp<size_t>(room, 12, 32)) + number;
}

std::string stack_paragraph(const ReportStack& stack, const TextStyle& style, size_t column, size_t lines) {
  constexpr size_t narrowest = 24, lost_by_wrapping = 12;
  const size_t room = style.columns > column + narrowest ? style.columns - column : narrowest;
  const size_t all = room + (lines - 1) * (room > lost_by_wrapping ? room - lost_by_wrapping : room);
  return wrapped(inked(style, Ink::name, stack_phrase(stack, all, style.unicode)), column + room, column, column + 2);
}

std::string line_text(const TextStyle& style, std::string_view words, size_t indent) {
  return std::string(indent, ' ') + wrapped(words, style.columns, indent, indent + 2) + "\n";
}

}  // namespace culprit
