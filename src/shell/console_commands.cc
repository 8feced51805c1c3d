#include "shell/console_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "shell/words.h"
#include "view/text_style.h"

namespace culprit {
namespace {

bool has_name(const ConsoleCommand& command, std::string_view word) {
  for (std::string_view names = command.names; !names.empty();) {
    std::string_view name = names.substr(0, names.find(' '));
    if (name == word) return true;
    names.remove_prefix(std::min(names.size(), name.size() + 1));
  }
  return command.takes != nullptr && command.takes(word);
}

const ConsoleCommand* find_exactly(std::string_view word) {
  for (const ConsoleCommand& command : console_commands())
    if (has_name(command, word)) return &command;
  return nullptr;
}

std::string_view first_name(const ConsoleCommand& command) { return command.names.substr(0, command.names.find(' ')); }

std::string row_help(const ConsoleCommand& command) {
  constexpr size_t column = 28, width = 80;
  std::string_view first = first_name(command);
  std::string head = fmt::format("  {} {}", first, command.usage);
  while (head.ends_with(' ')) head.pop_back();
  std::string description(command.description);
  if (first.size() < command.names.size())
    description += fmt::format("; also {}", command.names.substr(first.size() + 1));
  if (head.size() + 2 > column) head += "\n";
  size_t used = head.ends_with('\n') ? 0 : head.size();
  return head + std::string(column - used, ' ') + wrapped(description, width, column, column) + "\n";
}

}  // namespace

std::span<const ConsoleCommand> console_commands() {
  static const std::vector<ConsoleCommand> all = [] {
    std::vector<ConsoleCommand> rows;
    for (std::span<const ConsoleCommand> part :
         {console_handle_commands(), console_thread_commands(), console_stack_commands(), console_lock_commands(),
          console_heap_commands(), console_crash_commands(), console_run_commands(), console_memory_commands(),
          console_symbol_commands(), console_expression_commands(), console_control_commands()})
      rows.insert(rows.end(), part.begin(), part.end());
    return rows;
  }();
  return all;
}

const ConsoleCommand* find_console_command(std::string_view word) {
  if (const ConsoleCommand* command = find_exactly(word)) return command;
  // WinDbg does not tell DB from db.
  std::string lower(word);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  return find_exactly(lower);
}

ConsoleLine split_line(std::string_view command) {
  command = trimmed(command);
  size_t end = command.find_first_of(" \t([{\"'=@");
  if (command.starts_with('~') || command.starts_with('?') || command.starts_with('|'))
    end = std::min<size_t>(1, command.size());
  std::string_view word = command.substr(0, end);
  return {word, trimmed(command.substr(word.size()))};
}

std::string console_help() {
  std::string text, subject;
  for (const ConsoleCommand& command : console_commands()) {
    if (command.subject != subject) text += fmt::format("{}{}:\n", text.empty() ? "" : "\n", command.subject);
    subject = command.subject;
    text += row_help(command);
  }
  return text;
}

std::string console_help(const ConsoleCommand& command) { return row_help(command); }

std::string console_markdown() {
  return fmt::format(
      "## The console\n\n"
      "`culprit shell` and `culprit attach` ask for commands: one on a line, or several with semicolons between them.\n"
      "Numbers are hexadecimal unless `0n` or `n` says otherwise. Symbols are `module!name`; `*` and `?` match in "
      "`x`,\n"
      "`lm` and `!findstack`. A line that begins with `*`, and what follows `$$`, is a comment.\n\n```\n{}```\n\n",
      console_help());
}

}  // namespace culprit
