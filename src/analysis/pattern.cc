#include "analysis/pattern.h"

#include <fmt/format.h>

namespace culprit {

namespace {

constexpr size_t searched = 4096;

}  // namespace

Result<Pattern> Pattern::compile(std::string text) {
  auto compiled = std::make_unique<regex_t>();
  if (int problem = ::regcomp(compiled.get(), text.c_str(), REG_EXTENDED | REG_NOSUB); problem != 0) {
    char why[256] = "";
    ::regerror(problem, compiled.get(), why, sizeof why);
    return fail(ErrorKind::usage, fmt::format("'{}' is no regular expression: {}", text, why));
  }
  Pattern pattern;
  pattern.text_ = std::move(text);
  pattern.compiled_ = std::shared_ptr<const regex_t>(compiled.release(), [](const regex_t* old) {
    auto* expression = const_cast<regex_t*>(old);  // regfree() is older than const
    ::regfree(expression);
    delete expression;
  });
  return pattern;
}

bool Pattern::found_in(std::string_view text) const {
  return ::regexec(compiled_.get(), std::string(text.substr(0, searched)).c_str(), 0, nullptr, 0) == 0;
}

}  // namespace culprit
