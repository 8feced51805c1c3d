#include "shell/help.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "shell/console_commands.h"

namespace culprit {

namespace {

constexpr size_t help_width = 80;

std::string option_words(const OptionRow& option) {
  std::string words =
      option.alias.empty() ? std::string(option.name) : fmt::format("{}, {}", option.alias, option.name);
  return option.value.empty() ? words : fmt::format("{} {}", words, option.value);
}

std::string padded(std::string_view text, size_t columns) {
  size_t width = display_width(text);
  return std::string(text) + std::string(width < columns ? columns - width : 0, ' ');
}

// "  left   right …", the right side wrapped and kept in its column.
std::string two_columns(std::string_view left, size_t left_width, std::string_view right) {
  std::string text = "  " + padded(left, left_width) + "  ";
  size_t column = left_width + 4, used = column;
  while (!right.empty()) {
    std::string_view word = right.substr(0, right.find(' '));
    right.remove_prefix(std::min(right.size(), word.size() + 1));
    if (used > column && used + display_width(word) + 1 > help_width) {
      text += "\n" + std::string(column, ' ');
      used = column;
    }
    if (used > column) text += ' ', ++used;
    text += word;
    used += display_width(word);
  }
  return text + "\n";
}

std::string options_help(const Command& command) {
  size_t width = 0;
  for (const OptionRow& option : command.options) width = std::max(width, display_width(option_words(option)));
  std::string text;
  for (const OptionRow& option : command.options) text += two_columns(option_words(option), width, option.description);
  return text;
}

std::string usage_line(const Command& command) {
  std::string line = fmt::format("culprit {}", command.name);
  return command.usage.empty() ? line : fmt::format("{} {}", line, command.usage);
}

constexpr std::string_view exit_status =
    "Exit status: 0 done, 1 something found and --fail-on-leak was given, 2 could not do it.\n"
    "`run` otherwise ends as the program did: with its status, or of the same signal; 127 when\n"
    "the command was not found, 126 when it could not be executed.\n";

}  // namespace

std::string overview_help() {
  size_t width = 0;
  for (const Command& command : all_commands()) width = std::max(width, command.name.size());
  std::string text =
      "culprit names the line of code that leaks handles (file descriptors).\n\n"
      "  culprit run -- ./server --port 80     run a program, report its leaks at the end\n\n"
      "Commands:\n";
  for (const Command& command : all_commands()) text += two_columns(command.name, width, command.description);
  return text + "\n`culprit help COMMAND` explains one. `culprit --version` tells the version.\n";
}

std::string command_help(const Command& command) {
  std::string text = fmt::format("{}: {}\n\nusage: {}\n", command.name, command.description, usage_line(command));
  if (!command.details.empty()) text += fmt::format("\n{}\n", command.details);
  if (!command.options.empty()) text += "\nOptions:\n" + options_help(command);
  return text;
}

std::string commands_markdown() {
  std::string text =
      "# The commands of culprit\n\n"
      "<!-- Made by `culprit help --markdown` from the rows in src/shell; a test compares. Do not edit. -->\n\n";
  for (const Command& command : all_commands()) {
    text += fmt::format("## culprit {}\n\n{}\n\n", command.name, command.description);
    text += fmt::format("```\n{}\n```\n\n", usage_line(command));
    if (!command.details.empty()) text += fmt::format("{}\n\n", command.details);
    if (!command.options.empty()) text += fmt::format("```\n{}```\n\n", options_help(command));
  }
  text += console_markdown();
  return text + fmt::format("## Exit status\n\n{}", exit_status);
}

namespace {

// The first words of commands, each once.
std::string first_words() {
  std::string words;
  for (const Command& command : all_commands()) {
    std::string_view first = command.name.substr(0, command.name.find(' '));
    bool is_known = (" " + words + " ").find(fmt::format(" {} ", first)) != std::string::npos;
    if (!is_known) words += fmt::format("{}{}", words.empty() ? "" : " ", first);
  }
  return words;
}

// One case for each command: its options, and those of them that take files.
std::string option_cases() {
  std::string cases;
  for (const Command& command : all_commands()) {
    std::string words = "--help", files;
    for (const OptionRow& option : command.options) {
      words += fmt::format(" {}", option.name);
      if (!option.alias.empty()) words += fmt::format(" {}", option.alias);
      if (option.kind == ValueKind::file)
        files += fmt::format("{}{}{}{}", files.empty() ? "" : "|", option.name, option.alias.empty() ? "" : "|",
                             option.alias);
    }
    if (files.empty()) files = "--no-option-takes-a-file";
    // What follows a program to run belongs to that program's own completion.
    std::string program = command.operands == Operands::program ? "_culprit_program && return; " : "";
    cases += fmt::format("    '{}') {}options='{}'; file_options='{}' ;;\n", command.name, program, words, files);
  }
  return cases;
}

// One case for each first word that is not a command by itself: its second words.
std::string group_cases(std::string_view first_words) {
  std::string cases;
  while (!first_words.empty()) {
    std::string_view first = first_words.substr(0, first_words.find(' '));
    first_words.remove_prefix(std::min(first_words.size(), first.size() + 1));
    std::string seconds;
    for (std::string_view second : group_of(first)) seconds += fmt::format("{}{}", seconds.empty() ? "" : " ", second);
    if (!seconds.empty()) cases += fmt::format("    {}) seconds='{}' ;;\n", first, seconds);
  }
  return cases;
}

}  // namespace

std::string bash_completion() {
  std::string names = first_words();
  return fmt::format(
      R"(# bash completion for culprit: source <(culprit completion bash)
_culprit_program() {{
  local i
  for ((i = 2; i < COMP_CWORD; i++)); do
    if [[ ${{COMP_WORDS[i]}} == -- ]]; then
      declare -F _command_offset >/dev/null && _command_offset $((i + 1))
      return 0
    fi
  done
  return 1
}}
_culprit() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} options= file_options= seconds=
  local command=${{COMP_WORDS[1]}}
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W '{0} --help --version' -- "$word")
    return
  fi
  case $command in
{1}  esac
  if [[ -n $seconds ]]; then
    if ((COMP_CWORD == 2)); then
      mapfile -t COMPREPLY < <(compgen -W "$seconds --help" -- "$word")
      return
    fi
    command="$command ${{COMP_WORDS[2]}}"
  fi
  case $command in
{2}  esac
  if [[ $word == -* && "|$file_options|" != *"|$previous|"* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
  elif [[ $command == help ]]; then
    mapfile -t COMPREPLY < <(compgen -W '{0}' -- "$word")
  else
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
  fi
}}
complete -o filenames -F _culprit culprit
)",
      names, group_cases(names), option_cases());
}

}  // namespace culprit
