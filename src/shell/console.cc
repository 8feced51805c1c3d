#include "shell/console.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "shell/console_commands.h"
#include "shell/console_session.h"
#include "shell/interrupts.h"
#include "shell/line_reader.h"
#include "shell/suggest.h"
#include "shell/words.h"

namespace culprit {
namespace {

constexpr int deepest = 20;  // commands within commands: j and .if in each other
constexpr size_t most_completions = 500;

}  // namespace

std::vector<std::string> ConsoleLine::words() const { return split_words(rest); }

Console::Console(ConsoleSession& session, const Streams& streams) : session_(session), streams_(streams) {}
Console::~Console() = default;

void Console::complain(const Error& error) {
  has_complained_ = true;
  // `where` is an address of the target here, which the sentence names itself.
  culprit::complain(streams_, error.what);
}

void Console::print(std::string_view text) {
  // Nobody wants the rest of an answer that was interrupted; a reader that is gone has no use for more commands.
  if (was_interrupted()) return;
  if (answer(streams_, text).status != ended_well.status && !was_interrupted()) {
    has_complained_ = true;
    end();
  }
}

void Console::execute_one(std::string_view text, std::string_view& rest_of_line) {
  ConsoleLine line = split_line(text);
  const ConsoleCommand* command = find_console_command(line.word);
  if (command == nullptr) {
    std::vector<std::string> names;
    for (const ConsoleCommand& known : console_commands())
      for (std::string& name : split_words(known.names)) names.push_back(std::move(name));
    std::vector<std::string_view> candidates(names.begin(), names.end());
    std::string_view near = nearest(line.word, candidates);
    return complain(
        {ErrorKind::usage, fmt::format("there is no command {}{}", printable(line.word),
                                       near.empty() ? "; help lists them" : fmt::format("; did you mean {}?", near))});
  }
  if (command->is_whole_line && !rest_of_line.empty()) {
    // The views lie in one text, with the semicolon between them.
    const char* end = rest_of_line.data() + rest_of_line.size();
    line = split_line(trimmed({text.data(), static_cast<size_t>(end - text.data())}));
    rest_of_line = {};
  }
  last_ = command->repeats ? std::string(line.word) : "";
  command->run(*this, line);
}

bool Console::execute(std::string_view line) {
  if (depth_ >= deepest) return complain({ErrorKind::limit, "too many commands within each other"}), true;
  std::string copy(line);
  std::string_view rest = copy;
  ++depth_;
  while (!has_ended_ && !trimmed(rest).empty()) {
    if (trimmed(rest).starts_with('*')) break;  // a comment
    std::string_view command = take_command(rest);
    if (command.empty() || command.starts_with("$$")) continue;
    {
      Streams before = streams_;
      LoggedStreams logged(before, depth_ == 1 ? log_.fd() : -1);
      streams_ = logged.streams();
      execute_one(command, rest);
      streams_ = before;
    }
    // What follows in a script was written for what did not come about: g without its breakpoint runs on for ever.
    if (has_complained_ && is_script_) end();
    if (!was_interrupted()) continue;
    if (depth_ > 1) break;
    complain({ErrorKind::usage, "stopped by Ctrl-C"});
    if (!is_conversation_) end();
    forget_interrupt();
    break;
  }
  --depth_;
  return !has_ended_;
}

bool Console::execute_script(std::string_view line) {
  is_script_ = true;
  return execute(line);
}

bool Console::repeat() {
  if (last_.empty()) return false;
  execute(std::string(last_));
  return true;
}

std::vector<std::string> Console::completions(const std::string& line, const std::string& word, size_t begin) {
  bool is_command = trimmed(std::string_view(line).substr(0, begin)).empty() || line[begin - 1] == ';';
  std::vector<std::string> found;
  if (!is_command) return session_.completions(split_line(trimmed(line)), word, most_completions);
  for (const ConsoleCommand& command : console_commands())
    for (const std::string& name : split_words(command.names))
      if (name.starts_with(word)) found.push_back(name);
  std::ranges::sort(found);
  return found;
}

bool Console::converse(const std::function<std::string()>& prompt) {
  LineReader reader([this](const std::string& line, const std::string& word, size_t begin) {
    return completions(line, word, begin);
  });
  is_conversation_ = reader.is_terminal();
  is_script_ = !is_conversation_;
  if (is_conversation_) print(session_.status() + "help lists what there is to type\n");
  while (!has_ended_) {
    std::string shown = prompt();
    auto line = reader.next(shown);
    if (was_interrupted()) {  // at the prompt: the line is given up; in a script there is nothing else to give up
      forget_interrupt();
      if (is_conversation_) continue;
      complain({ErrorKind::usage, "stopped by Ctrl-C"});
      break;
    }
    if (!line) break;
    log_.note(fmt::format("{}{}\n", shown, printable(*line)));
    if (trimmed(*line).empty() && is_conversation_) {
      repeat();
    } else {
      execute(*line);
    }
  }
  return !is_conversation_;
}

}  // namespace culprit
