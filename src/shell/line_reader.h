// Lines of a person (with editing and history) or of a script.
#pragma once

#include <optional>
#include <string>

namespace culprit {

class LineReader {
 public:
  // On a terminal, prompts; else reads standard input as it comes.
  LineReader();

  // Nothing: the end of the input. A line that was given up with Ctrl-C is empty.
  std::optional<std::string> next(const std::string& prompt);
  bool is_terminal() const { return is_terminal_; }

 private:
  bool is_terminal_;
  std::string rest_;  // of what was read from no terminal
  bool at_end_ = false;
};

}  // namespace culprit
