// The console: commands typed one after the other about one target. What it can be told is a table of rows
// (console_commands.h); what it is about is a ConsoleSession.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "shell/command.h"
#include "shell/console_log.h"

namespace culprit {

class Console;
class ConsoleSession;

struct ConsoleLine {
  std::string_view word;  // as typed
  std::string_view rest;  // without blanks around it

  std::vector<std::string> words() const;  // of the rest
};

struct ConsoleCommand {
  std::string_view subject;  // the heading it stands under in help
  std::string_view names;    // all words for it, separated by blanks; the first stands for them
  std::string_view usage;    // "[NAME]"
  std::string_view description;
  // Prints its answer, or its complaint.
  void (*run)(Console& console, const ConsoleLine& line) = nullptr;
  bool (*takes)(std::string_view word) = nullptr;  // more words for it than can be listed: kvn, dps
  bool repeats = false;                            // an empty line does it again, going on where it ended
  bool is_whole_line = false;                      // what looks like further commands belongs to it
};

class Console {
 public:
  // The session must outlive it.
  Console(ConsoleSession& session, const Streams& streams);
  ~Console();

  // Commands separated by semicolons. False: one of them ended the console.
  bool execute(std::string_view line);
  // The same of a script: a command that fails ends it, and the console.
  bool execute_script(std::string_view line);
  // Reads lines until one ends the console, or there are no more: of a person at a terminal, or a script (then it is
  // true). `prompt` is called before each.
  bool converse(const std::function<std::string()>& prompt);

  void end() { has_ended_ = true; }
  bool has_ended() const { return has_ended_; }
  // A command could not do what it was asked.
  void complain(const Error& error);
  void note_complaint() { has_complained_ = true; }  // somebody else has told it
  bool has_complained() const { return has_complained_; }
  // An answer.
  void print(std::string_view text);
  const Streams& streams() const { return streams_; }
  ConsoleSession& session() { return session_; }
  ConsoleLog& log() { return log_; }

 private:
  void execute_one(std::string_view text, std::string_view& rest_of_line);
  bool repeat();
  std::vector<std::string> completions(const std::string& line, const std::string& word, size_t begin);

  ConsoleSession& session_;
  Streams streams_;
  ConsoleLog log_;
  std::string last_;  // to be repeated by an empty line; empty: nothing
  int depth_ = 0;     // commands that commands execute
  bool is_conversation_ = false, is_script_ = false;
  bool has_ended_ = false, has_complained_ = false;
};

}  // namespace culprit
