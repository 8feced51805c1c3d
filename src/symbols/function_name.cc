#include "symbols/function_name.h"

#include <algorithm>

namespace culprit {

namespace {

// The end of a balanced <…> that begins at `open`. Operators such as operator< never begin one: the caller sees to
// that.
size_t past_template_arguments(std::string_view text, size_t open) {
  int depth = 0;
  for (size_t i = open; i < text.size(); ++i) {
    if (text[i] == '<') ++depth;
    if (text[i] == '>' && text[i - 1] != '-' && --depth == 0) return i + 1;
  }
  return text.size();
}

}  // namespace

std::string qualified_name(std::string_view demangled) {
  constexpr std::string_view anonymous = "(anonymous namespace)", operator_word = "operator";
  std::string name;
  for (size_t i = 0; i < demangled.size();) {
    const std::string_view rest = demangled.substr(i);
    if (rest.starts_with(anonymous)) {
      name += anonymous;
      i += anonymous.size();
    } else if (rest.starts_with(operator_word) && (name.empty() || name.ends_with(':') || name.ends_with(' '))) {
      // The name ends here: symbols like () < <<, or a type to convert to, up to the parameters.
      const size_t parameters =
          rest.find('(', rest.starts_with("operator()") ? operator_word.size() + 2 : operator_word.size());
      return name += rest.substr(0, parameters);
    } else if (rest[0] == '<') {
      const size_t end = past_template_arguments(demangled, i);
      if (i == 0) name = demangled.substr(0, end);  // Rust: <std::fs::File as std::io::Read>::read
      i = end;
    } else if (rest[0] == '{') {  // {lambda(int)#1}
      const size_t end = std::min(demangled.find('}', i), demangled.size() - 1) + 1;
      name += demangled.substr(i, end - i);
      i = end;
    } else if (rest[0] == '(') {
      return name;
    } else if (rest[0] == ' ' && !rest.starts_with(" [")) {
      name.clear();  // what stood before was a return type
      ++i;
    } else if (rest[0] == ' ') {
      return name;  // a clone suffix: "f [.cold]"
    } else {
      name += rest[0];
      ++i;
    }
  }
  return name;
}

std::string_view without_parameters(std::string_view function) {
  size_t close = function.rfind(')');
  if (close == function.npos || function.find_first_of("<:", close) != function.npos) return function;
  size_t depth = 0;
  for (size_t at = close + 1; at-- > 0;) {
    if (function[at] == ')') ++depth;
    if (function[at] == '(' && --depth == 0) {
      std::string_view name = function.substr(0, at);
      return name.empty() || name.ends_with("operator") ? function : name;
    }
  }
  return function;
}

}  // namespace culprit
