// The lines of files in which users write rules: "[name]", then conditions; "#" begins a comment.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/result.h"

namespace culprit {

std::string_view trimmed_line(std::string_view text);

// "line 7: what", with the number as its place.
tl::unexpected<Error> wrong_line(size_t number, std::string_view what);

// Lines that say something, one after the other, trimmed.
class RuleLines {
 public:
  // The text must outlive it.
  explicit RuleLines(std::string_view text) : rest_(text) {}

  bool next();                                     // false: there are no more
  std::string_view line() const { return line_; }  // not empty
  size_t number() const { return number_; }        // from 1

 private:
  std::string_view rest_, line_;
  size_t number_ = 0;
};

}  // namespace culprit
