// The console: commands typed one after the other about one target.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shell/command.h"

namespace culprit {

class Console;

struct ConsoleCommand {
  std::string_view name;
  std::string_view aliases;  // other words for it, WinDbg's among them, separated by blanks
  std::string_view usage;    // "[NAME]"
  std::string_view description;
  // Prints its answer, or its complaint.
  std::function<void(Console& console, const std::vector<std::string>& words)> run;
};

class Console {
 public:
  Console(std::string prompt, std::vector<ConsoleCommand> commands, const Streams& streams);

  // Commands separated by semicolons. False: one of them ended the console.
  bool execute(std::string_view line);
  // Reads lines until one ends the console, or there are no more. `before_prompt` is called before each.
  void converse(const std::function<void()>& before_prompt);

  void end() { has_ended_ = true; }
  // A command could not do what it was asked.
  void complain(const Error& error);
  bool has_complained() const { return has_complained_; }
  const Streams& streams() const { return streams_; }

 private:
  void execute_one(const std::string& text);
  void help(const std::vector<std::string>& words);
  const ConsoleCommand* find(std::string_view word) const;

  std::string prompt_;
  std::vector<ConsoleCommand> commands_;
  Streams streams_;
  bool has_ended_ = false, has_complained_ = false;
};

}  // namespace culprit
