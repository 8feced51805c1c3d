// Regular expressions as `grep -E` knows them (POSIX extended), over bytes.
#pragma once

#include <regex.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace culprit {

class Pattern {
 public:
  static Result<Pattern> compile(std::string text);

  // Whether some part of `text` matches. Only its first few thousand bytes are looked at: names of symbols have no end.
  bool found_in(std::string_view text) const;
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::shared_ptr<const regex_t> compiled_;
};

}  // namespace culprit
