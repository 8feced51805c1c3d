// Values, and commands that depend on them.
#include <fmt/format.h>

#include <ctime>

#include "base/text.h"
#include "shell/console_commands.h"
#include "shell/console_session.h"
#include "shell/words.h"

namespace culprit {
namespace {

void evaluate_expression(Console& console, const ConsoleLine& line) {
  if (line.rest.empty()) return console.print(console_help());
  ConsoleSession& session = console.session();
  auto value = session.value(line.rest);
  if (!value) return console.complain(value.error());
  std::string words = session.words()(*value);
  console.print(fmt::format("Evaluate expression: {} = {:016x}{}{}\n", static_cast<int64_t>(*value), *value,
                            words.empty() ? "" : " ", printable(words)));
}

void formats(Console& console, const ConsoleLine& line) {
  auto value = console.session().value(line.rest);
  if (!value) return console.complain(value.error());
  std::string characters;
  for (int byte = 7; byte >= 0; --byte) {
    auto c = static_cast<char>(*value >> byte * 8);
    characters += c >= ' ' && c <= '~' ? c : '.';
  }
  std::string text =
      fmt::format("Evaluate expression:\n  Hex:     {:016x}\n  Decimal: {}\n", *value, static_cast<int64_t>(*value));
  text += fmt::format("  Octal:   {:022o}\n  Binary:  {:064b}\n  Chars:   {}\n", *value, *value, characters);
  // Seconds since 1970, as far as a year has four digits.
  constexpr uint64_t last_second = 253'402'300'799;
  if (auto seconds = static_cast<time_t>(*value); *value <= last_second) {
    tm parts{};
    char shown[64];
    if (gmtime_r(&seconds, &parts) != nullptr && strftime(shown, sizeof(shown), "%Y-%m-%d %H:%M:%S UTC", &parts) != 0)
      text += fmt::format("  Time:    {}\n", shown);
  }
  console.print(text);
}

void radix(Console& console, const ConsoleLine& line) {
  ConsoleSession& session = console.session();
  if (!line.rest.empty()) {
    if (line.rest != "8" && line.rest != "10" && line.rest != "16")
      return console.complain({ErrorKind::usage, "the base of numbers can be 8, 10 or 16"});
    session.set_radix(line.rest == "8" ? 8 : line.rest == "10" ? 10 : 16);
  }
  console.print(fmt::format("base is {}\n", session.radix()));
}

// "'k; r'" or "k": commands, without the quotes around them.
std::string_view unquoted(std::string_view text) {
  text = trimmed(text);
  bool is_quoted = text.size() >= 2 && (text.front() == '\'' || text.front() == '"') && text.back() == text.front();
  return is_quoted ? text.substr(1, text.size() - 2) : text;
}

// j CONDITION 'COMMANDS' ; 'COMMANDS'
void jump(Console& console, const ConsoleLine& line) {
  std::string_view rest;
  auto value = console.session().leading_value(line.rest, rest);
  if (!value) return console.complain(value.error());
  std::string_view first = take_command(rest), second = trimmed(rest);
  console.execute(unquoted(*value != 0 ? first : second));
}

// .if (CONDITION) { … } .elsif (CONDITION) { … } .else { … }
void conditional(Console& console, const ConsoleLine& line) {
  constexpr std::string_view elsif_word = ".elsif", else_word = ".else";
  std::string_view text = line.rest;
  bool is_decided = false;
  std::string chosen;
  for (bool has_condition = true;;) {
    uint64_t value = 1;
    if (has_condition) {
      std::string_view rest;
      auto condition = console.session().leading_value(text, rest);
      if (!condition) return console.complain(condition.error());
      value = *condition;
      text = rest;
    }
    auto block = take_block(text);
    if (!block)
      return console.complain(
          {ErrorKind::usage, ".if (CONDITION) { COMMANDS } .else { COMMANDS }: a brace is missing"});
    if (!is_decided && value != 0) {
      is_decided = true;
      chosen = *block;
    }
    bool goes_on = has_condition && (text.starts_with(elsif_word) || text.starts_with(else_word));
    if (!goes_on) break;
    has_condition = text.starts_with(elsif_word);
    text.remove_prefix(has_condition ? elsif_word.size() : else_word.size());
  }
  if (!text.empty())
    return console.complain({ErrorKind::usage, fmt::format("'{}' does not belong to .if", printable(text))});
  console.execute(chosen);
}

constexpr std::string_view subject = "Expressions";
constexpr ConsoleCommand rows[] = {
    {.subject = subject,
     .names = "?",
     .usage = "EXPRESSION",
     .description = "its value: numbers, symbols, @registers, poi(address), operators as in C",
     .run = evaluate_expression},
    {.subject = subject,
     .names = ".formats",
     .usage = "EXPRESSION",
     .description = "its value in every form",
     .run = formats},
    {.subject = subject,
     .names = "n",
     .usage = "[8|10|16]",
     .description = "the base of numbers that do not say theirs",
     .run = radix},
    {.subject = subject,
     .names = "j",
     .usage = "CONDITION 'COMMANDS'; 'COMMANDS'",
     .description = "the first if the condition is not 0, else the second",
     .run = jump,
     .is_whole_line = true},
    {.subject = subject,
     .names = ".if",
     .usage = "(CONDITION) { COMMANDS } .else { COMMANDS }",
     .description = "the same; .elsif (CONDITION) { … } may stand between",
     .run = conditional},
};

}  // namespace

std::span<const ConsoleCommand> console_expression_commands() { return rows; }

}  // namespace culprit
