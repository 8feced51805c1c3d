#include "analysis/rule_lines.h"

#include <fmt/format.h>

#include <algorithm>

namespace culprit {

std::string_view trimmed_line(std::string_view text) {
  constexpr std::string_view blank = " \t\r\v\f";
  const size_t first = text.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

tl::unexpected<Error> wrong_line(size_t number, std::string_view what) {
  return fail(ErrorKind::corrupt, fmt::format("line {}: {}", number, what), number);
}

bool RuleLines::next() {
  while (!rest_.empty()) {
    const size_t end = std::min(rest_.find('\n'), rest_.size());
    line_ = trimmed_line(rest_.substr(0, end));
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    ++number_;
    if (!line_.empty() && line_.front() != '#') return true;
  }
  return false;
}

}  // namespace culprit
