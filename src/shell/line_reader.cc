#include "shell/line_reader.h"

#include <editline/readline.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/fd.h"
#include "base/text.h"
#include "shell/interrupts.h"

namespace culprit {
namespace {

constexpr size_t piece = 4096;
constexpr int longest_history = 1000;
// What ends a word besides blanks; not ! : . - ~ < >, which are parts of names.
char word_breaks[] = " \t;(,\"'=@";

LineReader::Completer& completer() {
  static LineReader::Completer current;
  return current;
}

std::vector<std::string> found;
size_t next_found = 0;

char* give_found(const char*, int state) {
  if (state == 0) next_found = 0;
  return next_found < found.size() ? strdup(found[next_found++].c_str()) : nullptr;
}

char** complete(const char* word, int begin, int) {
  rl_attempted_completion_over = 1;  // no names of files
  if (!completer()) return nullptr;
  found = completer()(rl_line_buffer, word, static_cast<size_t>(begin));
  // "libc!" and the function follow each other without a blank.
  bool goes_on = found.size() == 1 && found[0].ends_with('!');
  rl_completion_append_character = goes_on ? '\0' : ' ';
  return rl_completion_matches(word, give_found);
}

// Waits for something to read; false: Ctrl-C was pressed, also just before (a plain read() would not notice that).
bool wait_for_input() {
  sigset_t interrupt, before;
  sigemptyset(&interrupt);
  sigaddset(&interrupt, SIGINT);
  sigprocmask(SIG_BLOCK, &interrupt, &before);
  pollfd input{0, POLLIN, 0};
  while (!was_interrupted() && ppoll(&input, 1, nullptr, &before) < 0 && errno == EINTR) continue;
  bool is_ready = !was_interrupted();
  sigprocmask(SIG_SETMASK, &before, nullptr);
  return is_ready;
}

// libedit's own function takes the first EINTR for nothing, so that Ctrl-C would not give up the line. One character
// of UTF-8; -1: the end, or Ctrl-C.
int read_character(FILE*) {
  int character = 0, left = 0;
  do {
    unsigned char byte = 0;
    if (!wait_for_input() || read(0, &byte, 1) <= 0) return -1;
    if (left > 0) {
      character = character << 6 | (byte & 0x3f);
      --left;
    } else if (byte >= 0xc0) {
      left = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1;
      character = byte & (0x3f >> left);
    } else {
      character = byte;
    }
  } while (left > 0);
  return character;
}

std::string history_path() {
  namespace fs = std::filesystem;
  const char* state = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  fs::path folder;
  if (state != nullptr && state[0] == '/') {
    folder = state;
  } else if (home != nullptr && home[0] == '/') {
    folder = fs::path(home) / ".local" / "state";
  } else {
    return "";
  }
  folder /= "culprit";
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure) return "";
  return folder / "history";
}

}  // namespace

LineReader::LineReader(Completer what_completes) : is_terminal_(isatty(0) == 1 && isatty(1) == 1) {
  if (!is_terminal_) return;
  completer() = std::move(what_completes);
  rl_readline_name = const_cast<char*>("culprit");  // libedit's interface wants it writable, and never writes
  rl_completer_word_break_characters = word_breaks;
  rl_attempted_completion_function = complete;
  rl_getc_function = read_character;
  using_history();
  load_history();
}

LineReader::~LineReader() {
  if (!is_terminal_) return;
  keep_history();
  rl_getc_function = nullptr;
  completer() = {};
}

void LineReader::load_history() {
  stifle_history(longest_history);
  history_file_ = history_path();
  struct stat status {};
  // read_history() would wait at a FIFO.
  bool is_file = !history_file_.empty() && stat(history_file_.c_str(), &status) == 0 && S_ISREG(status.st_mode);
  if (is_file) read_history(history_file_.c_str());
}

void LineReader::keep_history() const {
  if (history_file_.empty()) return;
  // Commands may name what is nobody else's business.
  Fd file(open(history_file_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600));
  struct stat status {};
  if (file && fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode)) write_history(history_file_.c_str());
}

std::optional<std::string> LineReader::next(const std::string& prompt) {
  if (is_terminal_) {
    // readline() shows the prompt first, and what is typed in between would be the terminal's to interpret: a Ctrl-D
    // would be lost.
    rl_prep_terminal(1);
    char* line = readline(prompt.c_str());
    if (line == nullptr && was_interrupted()) return (void)write(1, "\n", 1), std::string();
    if (line == nullptr) return std::nullopt;
    std::string text(line);
    free(line);
    if (text.find_first_not_of(" \t") != text.npos) add_history(text.c_str());
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
    if (!wait_for_input()) return std::string();
    char buffer[piece];
    ssize_t size = read(0, buffer, sizeof(buffer));
    if (size < 0 && errno == EINTR) continue;
    at_end_ = size <= 0;
    if (size > 0) rest_.append(buffer, static_cast<size_t>(size));
  }
}

}  // namespace culprit
