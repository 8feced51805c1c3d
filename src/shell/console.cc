#include "shell/console.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "shell/line_reader.h"
#include "shell/suggest.h"
#include "shell/words.h"

namespace culprit {

Console::Console(std::string prompt, std::vector<ConsoleCommand> commands, const Streams& streams)
    : prompt_(std::move(prompt)), commands_(std::move(commands)), streams_(streams) {
  commands_.push_back({"help", "? .help", "[COMMAND]", "what there is to type",
                       [](Console& console, const std::vector<std::string>& words) { console.help(words); }});
  commands_.push_back({"quit", "q qd exit", "", "let the process go, and leave",
                       [](Console& console, const std::vector<std::string>&) { console.end(); }});
}

const ConsoleCommand* Console::find(std::string_view word) const {
  for (const ConsoleCommand& command : commands_) {
    if (command.name == word) return &command;
    for (const std::string& alias : split_words(command.aliases)) {
      if (alias == word) return &command;
    }
  }
  return nullptr;
}

void Console::help(const std::vector<std::string>& words) {
  std::string text;
  for (const ConsoleCommand& command : commands_) {
    bool is_wanted = words.empty() || command.name == words[0];
    if (!is_wanted) continue;
    std::string head = fmt::format("{} {}", command.name, command.usage);
    if (head.size() > 26) head += fmt::format("\n  {:<26}", "");
    text += fmt::format("  {:<26} {}\n", head, command.description);
    if (!command.aliases.empty()) text += fmt::format("  {:<26} also: {}\n", "", command.aliases);
  }
  if (text.empty()) return complain({ErrorKind::usage, fmt::format("there is no command {}", printable(words[0]))});
  answer(streams_, text);
}

void Console::complain(const Error& error) {
  has_complained_ = true;
  culprit::complain(streams_, error);
}

void Console::execute_one(const std::string& text) {
  std::vector<std::string> words = split_words(text);
  if (words.empty()) return;
  std::string word = words.front();
  words.erase(words.begin());
  const ConsoleCommand* command = find(word);
  if (command != nullptr) return command->run(*this, words);
  std::vector<std::string_view> names;
  for (const ConsoleCommand& known : commands_) names.push_back(known.name);
  std::string_view near = nearest(word, names);
  complain(
      {ErrorKind::usage, fmt::format("there is no command {}{}", printable(word),
                                     near.empty() ? "; help lists them" : fmt::format("; did you mean {}?", near))});
}

bool Console::execute(std::string_view line) {
  for (const std::string& command : split_commands(line)) {
    if (has_ended_) break;
    execute_one(command);
  }
  return !has_ended_;
}

void Console::converse(const std::function<void()>& before_prompt) {
  LineReader reader;
  while (!has_ended_) {
    before_prompt();
    auto line = reader.next(prompt_);
    if (!line) return;
    execute(*line);
  }
}

}  // namespace culprit
