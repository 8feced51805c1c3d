#include "shell/breakpoint_line.h"

#include <fmt/format.h>

#include <charconv>

#include "base/text.h"
#include "shell/values.h"
#include "shell/words.h"

namespace culprit {
namespace {

// Up to a blank that is in no parentheses, or to a quote.
std::string_view take_place(std::string_view& text) {
  size_t end = 0;
  int depth = 0;
  for (; end < text.size(); end++) {
    char c = text[end];
    if (c == '(') depth++;
    if (c == ')') depth--;
    if (c == '"' || (depth <= 0 && (c == ' ' || c == '\t'))) break;
  }
  std::string_view place = text.substr(0, end);
  text = trimmed(text.substr(end));
  return place;
}

// WinDbg's \" within quoted commands is a quote.
std::string unescaped(std::string_view text) {
  std::string plain;
  for (size_t at = 0; at < text.size(); at++) {
    if (text[at] == '\\' && at + 1 < text.size() && (text[at + 1] == '"' || text[at + 1] == '\\')) at++;
    plain += text[at];
  }
  return plain;
}

std::string_view without_quotes(std::string_view text) {
  text = trimmed(text);
  bool is_quoted = text.size() >= 2 && (text.front() == '\'' || text.front() == '"') && text.back() == text.front();
  return trimmed(is_quoted ? text.substr(1, text.size() - 2) : text);
}

bool only_goes_on(std::string_view commands) {
  commands = without_quotes(commands);
  while (commands.ends_with(';')) commands = trimmed(commands.substr(0, commands.size() - 1));
  return commands == "gc" || commands == "g";
}

bool has_word(std::string_view text, std::string_view word) {
  return text.starts_with(word) && text.size() > word.size() &&
         std::string_view(" \t(@").find(text[word.size()]) != std::string_view::npos;
}

struct Sides {
  std::string_view if_true, if_false;
};

std::optional<Sides> sides_of_jump(std::string_view rest) {
  std::string_view first = take_command(rest);
  return Sides{first, trimmed(rest)};
}

// With both sides, and nothing behind them.
std::optional<Sides> sides_of_if(std::string_view rest) {
  constexpr std::string_view else_word = ".else";
  auto first = take_block(rest);
  if (!first || !rest.starts_with(else_word)) return {};
  rest.remove_prefix(else_word.size());
  auto second = take_block(rest);
  while (rest.starts_with(';')) rest = trimmed(rest.substr(1));
  if (!second || !rest.empty()) return {};
  return Sides{*first, *second};
}

std::optional<uint64_t> number_of_passes(std::string_view text, unsigned radix) {
  if (text.starts_with("0n")) return parse_count(text.substr(2));
  if (text.starts_with("0x")) radix = 16, text.remove_prefix(2);
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, static_cast<int>(radix));
  bool is_number = error == std::errc() && end == text.data() + text.size();
  return is_number ? std::optional(value) : std::nullopt;
}

}  // namespace

Result<BreakpointLine> parse_breakpoint_line(std::string_view text, unsigned radix) {
  BreakpointLine line;
  for (text = trimmed(text); text.starts_with('/');) {
    std::string_view option = take_place(text);
    if (option == "/t") {
      std::string_view thread = take_place(text);
      auto tid = parse_count(thread);
      if (!tid || *tid > UINT32_MAX)
        return fail(ErrorKind::usage, fmt::format("'{}' is no thread's id: ~ lists them", printable(thread)));
      line.tid = static_cast<uint32_t>(*tid);
    } else if (option == "/1") {
      line.is_one_shot = true;
    } else {
      return fail(ErrorKind::usage, fmt::format("{} is no option of a breakpoint; /1 makes it stop only once, /t TID "
                                                "only that thread",
                                                printable(option)));
    }
  }
  line.where = take_place(text);
  if (!text.empty() && text.front() != '"') {
    std::string_view count = take_place(text);
    auto passes = number_of_passes(count, radix);
    if (!passes || *passes == 0)
      return fail(ErrorKind::usage, fmt::format("'{}' is no number of passes; commands belong between quotes: bp {} "
                                                "\"k; gc\"",
                                                printable(count), printable(line.where)));
    line.passes = *passes;
  }
  if (text.empty()) return line;
  if (text.size() < 2 || text.front() != '"' || text.back() != '"')
    return fail(ErrorKind::usage, "the commands of a breakpoint begin and end with a quote: \"k; gc\"");
  line.commands = unescaped(text.substr(1, text.size() - 2));
  return line;
}

Result<std::optional<BreakpointDecision>> decision_of(std::string_view commands, ExpressionNames& names,
                                                      unsigned radix) {
  constexpr std::string_view if_word = ".if", jump_word = "j";
  std::optional<BreakpointDecision> none;
  commands = trimmed(commands);
  bool is_jump = has_word(commands, jump_word);
  if (!is_jump && !has_word(commands, if_word)) return none;
  std::string_view rest;
  auto condition = parse_leading_expression(commands.substr(is_jump ? 1 : if_word.size()), names, rest, radix);
  if (!condition) return tl::unexpected<Error>(std::move(condition).error());
  auto sides = is_jump ? sides_of_jump(rest) : sides_of_if(rest);
  if (!sides) return none;
  bool goes_on_if_true = only_goes_on(sides->if_true), goes_on_if_false = only_goes_on(sides->if_false);
  if (goes_on_if_true == goes_on_if_false) return none;
  return BreakpointDecision{std::move(*condition), goes_on_if_false};
}

}  // namespace culprit
