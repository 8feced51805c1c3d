// Every word of the console: the one list (console_commands.cc), from which help, completion and docs/commands.md
// follow. To add one: a row beside the others of its subject.
#pragma once

#include <span>
#include <string>

#include "shell/console.h"

namespace culprit {

std::span<const ConsoleCommand> console_commands();
// By any of its words; null: there is none.
const ConsoleCommand* find_console_command(std::string_view word);
// The command's word and the rest of it: "?1+2" and "~*k" have no blank between them.
ConsoleLine split_line(std::string_view command);

// Rows by subject.
std::span<const ConsoleCommand> console_control_commands();
std::span<const ConsoleCommand> console_crash_commands();
std::span<const ConsoleCommand> console_expression_commands();
std::span<const ConsoleCommand> console_handle_commands();
std::span<const ConsoleCommand> console_heap_commands();
std::span<const ConsoleCommand> console_lock_commands();
std::span<const ConsoleCommand> console_memory_commands();
std::span<const ConsoleCommand> console_run_commands();
std::span<const ConsoleCommand> console_stack_commands();
std::span<const ConsoleCommand> console_symbol_commands();
std::span<const ConsoleCommand> console_thread_commands();

std::string console_help();
std::string console_help(const ConsoleCommand& command);
std::string console_markdown();  // for docs/commands.md

}  // namespace culprit
