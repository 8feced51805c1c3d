// A command of culprit is a row. Parsing, help, completion and docs/commands.md all read the same rows, so they cannot
// disagree.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace culprit {

// What follows an option; checked before a command starts.
enum class ValueKind : uint8_t {
  none,      // a flag
  file,      // a path
  count,     // a whole number, at least 1
  duration,  // 500ms, 10s, 2min
  size,      // of memory or a file: 512k, 64M, 8G
  text,      // words that the command itself looks at
};

struct OptionRow {
  std::string_view name;   // "--report"
  std::string_view alias;  // "-o", or empty
  ValueKind kind = ValueKind::none;
  std::string_view value;  // what help calls the value: "FILE"; empty for flags
  std::string_view description;
};

// What may follow the options.
enum class Operands : uint8_t {
  none,
  at_most_one,
  at_most_two,
  one,
  one_or_two,
  one_or_more,
  program,  // a command line: everything from the first word that is no option, or after "--"
};

// Where a command writes: its answer, and everything else.
struct Streams {
  int output = 1;
  int errors = 2;
};

// A parsed command line. Every option in it is in the command's row and its value is of the row's kind.
class Arguments {
 public:
  std::vector<std::string> operands;
  std::map<std::string, std::string, std::less<>> options;  // by OptionRow::name; flags have an empty value

  bool has(std::string_view option) const { return options.contains(option); }
  std::string text(std::string_view option) const;  // "" when absent
  uint64_t count(std::string_view option, uint64_t when_absent) const;
  int64_t nanoseconds(std::string_view option) const;  // 0 when absent
  uint64_t bytes(std::string_view option, uint64_t when_absent) const;
};

// How the program ends: with a status, or (after the watched program died so) of a signal.
struct Ending {
  int status = 0;
  int signal = 0;
};
inline constexpr Ending ended_well{0}, ended_with_findings{1}, ended_in_failure{2};

struct Command {
  std::string_view name;         // "run"; of one of a group two words: "record start"
  std::string_view usage;        // "[options] -- COMMAND…"
  std::string_view description;  // one line
  std::string_view details;      // paragraphs for `culprit help NAME`
  std::span<const OptionRow> options;
  Operands operands = Operands::none;
  Ending (*run)(const Arguments&, const Streams&) = nullptr;
};

// Every command there is: the one list (all_commands.cc).
std::span<const Command> all_commands();
const Command* find_command(std::string_view name);
// The command that these words begin with, and how many of them are its name; null and 0: they begin with none.
struct NamedCommand {
  const Command* command = nullptr;
  size_t words = 0;
};
NamedCommand command_of(std::span<const std::string> words);
// The second words of the commands whose first word this is; empty: it begins no group.
std::vector<std::string_view> group_of(std::string_view first_word);
const OptionRow* find_option(const Command& command, std::string_view name_or_alias);

inline constexpr std::string_view culprit_version = "0.1.0";

// "culprit: <what>\n" to the error stream; control characters are made visible.
Ending complain(const Streams& streams, std::string_view what);
// The error's sentence, with its offset where it has one.
Ending complain(const Streams& streams, const Error& error);
// Writes an answer; failing to is a failure of the command.
Ending answer(const Streams& streams, std::string_view text, Ending ending = ended_well);

}  // namespace culprit
