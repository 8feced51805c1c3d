// Lines of a person (with editing, completion and history) or of a script.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace culprit {

class LineReader {
 public:
  // What the word that begins at `begin` of the line can become.
  using Completer =
      std::function<std::vector<std::string>(const std::string& line, const std::string& word, size_t begin)>;

  // On a terminal, prompts; else reads standard input as it comes. One at a time: libedit keeps its state in globals.
  // The history is read from and kept in $XDG_STATE_HOME/culprit/history; where that cannot be, it is of this session.
  explicit LineReader(Completer completer = {});
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // Nothing: the end of the input. A line that was given up with Ctrl-C is empty.
  std::optional<std::string> next(const std::string& prompt);
  bool is_terminal() const { return is_terminal_; }

 private:
  void load_history();
  void keep_history() const;

  bool is_terminal_;
  std::string history_file_;  // empty: nowhere
  std::string rest_;          // of what was read from no terminal
  bool at_end_ = false;
};

}  // namespace culprit
