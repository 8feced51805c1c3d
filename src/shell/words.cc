#include "shell/words.h"

#include <fmt/core.h>

#include <algorithm>

#include "shell/blame_settings.h"
#include "shell/values.h"

namespace culprit {
namespace {

bool takes(const Command& command, size_t operands) {
  switch (command.operands) {
    case Operands::none:
      return operands == 0;
    case Operands::at_most_one:
    case Operands::one:
      return operands <= 1;
    case Operands::at_most_two:
    case Operands::one_or_two:
      return operands <= 2;
    default:
      return true;
  }
}

}  // namespace

std::vector<std::string> split_words(std::string_view line) {
  std::vector<std::string> words;
  bool is_in_word = false;
  char quote = 0;
  for (char c : line) {
    if (quote != 0 ? c == quote : c == '\'' || c == '"') {
      quote = quote != 0 ? 0 : c;
      if (!is_in_word) words.emplace_back();
      is_in_word = true;
    } else if (quote == 0 && (c == ' ' || c == '\t' || c == '\r')) {
      is_in_word = false;
    } else {
      if (!is_in_word) words.emplace_back();
      is_in_word = true;
      words.back() += c;
    }
  }
  return words;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  size_t first = text.find_first_not_of(blanks);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::string_view take_command(std::string_view& line) {
  char quote = 0;
  size_t depth = 0, end = 0;
  for (; end < line.size(); ++end) {
    char c = line[end];
    if (quote == 0 && depth == 0 && c == ';') break;
    if (quote != 0 ? c == quote : c == '\'' || c == '"') quote = quote != 0 ? 0 : c;
    if (quote == 0 && c == '{') ++depth;
    if (quote == 0 && c == '}' && depth != 0) --depth;
  }
  std::string_view command = trimmed(line.substr(0, end));
  line.remove_prefix(std::min(line.size(), end + 1));
  return command;
}

std::optional<std::string_view> take_block(std::string_view& text) {
  text = trimmed(text);
  if (!text.starts_with('{')) return {};
  char quote = 0;
  size_t depth = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    char c = text[at];
    if (quote != 0 ? c == quote : c == '\'' || c == '"') quote = quote != 0 ? 0 : c;
    if (quote == 0 && c == '{') ++depth;
    if (quote == 0 && c == '}' && --depth == 0) {
      std::string_view block = text.substr(1, at - 1);
      text = trimmed(text.substr(at + 1));
      return block;
    }
  }
  return {};
}

Result<Arguments> parse_words(const Command& command, const std::vector<std::string>& words) {
  Arguments arguments;
  for (size_t i = 0; i < words.size(); i++) {
    const std::string& word = words[i];
    if (word.size() < 2 || word[0] != '-') {
      arguments.operands.push_back(word);
      continue;
    }
    size_t equals = word.starts_with("--") ? word.find('=') : std::string::npos;
    const OptionRow* option = find_option(command, word.substr(0, equals));
    if (option == nullptr) return fail(ErrorKind::usage, fmt::format("{} has no option {}", command.name, word));
    if (option->name == blame_rules_name)
      return fail(ErrorKind::usage,
                  fmt::format("{} is for the start of culprit: it holds for the whole console", blame_rules_name));
    std::string value;
    if (option->kind != ValueKind::none) {
      const bool has_next = i + 1 < words.size() && !(may_lack_value(*option) && words[i + 1].starts_with("--"));
      if (equals == std::string::npos && !has_next && !may_lack_value(*option))
        return fail(ErrorKind::usage, fmt::format("{} needs {}", option->name, option->value));
      if (equals != std::string::npos)
        value = word.substr(equals + 1);
      else if (has_next)
        value = words[++i];
      CULPRIT_TRY(check_value(*option, value));
    }
    arguments.options[std::string(option->name)] = value;
  }
  if (!takes(command, arguments.operands.size()))
    return fail(ErrorKind::usage, fmt::format("{} takes no '{}'", command.name, arguments.operands.back()));
  return arguments;
}

}  // namespace culprit
