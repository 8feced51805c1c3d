#include "shell/line_reader.h"

#include <editline/readline.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace culprit {
namespace {

constexpr size_t piece = 4096;

}  // namespace

LineReader::LineReader() : is_terminal_(isatty(0) == 1 && isatty(1) == 1) {
  if (is_terminal_) using_history();
}

std::optional<std::string> LineReader::next(const std::string& prompt) {
  if (is_terminal_) {
    char* line = readline(prompt.c_str());
    if (line == nullptr) return std::nullopt;
    std::string text(line);
    free(line);
    if (!text.empty()) add_history(text.c_str());
    return text;
  }
  // Not through stdio: it would read ahead for good, and a program we may start shares the input.
  for (;;) {
    size_t end = rest_.find('\n');
    if (end != std::string::npos || at_end_) {
      if (at_end_ && rest_.empty()) return std::nullopt;
      std::string line = rest_.substr(0, end);
      rest_ = end == std::string::npos ? "" : rest_.substr(end + 1);
      return line;
    }
    char buffer[piece];
    ssize_t size = read(0, buffer, sizeof(buffer));
    if (size < 0 && errno == EINTR) continue;
    at_end_ = size <= 0;
    if (size > 0) rest_.append(buffer, static_cast<size_t>(size));
  }
}

}  // namespace culprit
