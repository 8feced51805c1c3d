#include "cli/arguments.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

#include "shell/suggest.h"
#include "shell/values.h"

namespace culprit {

namespace {

constexpr std::string_view help_flags[] = {"--help", "-h"};
bool is_help(std::string_view word) { return std::ranges::find(help_flags, word) != std::end(help_flags); }

struct Split {
  std::vector<std::string> own;      // options, and operands of commands that run no program
  std::vector<std::string> program;  // untouched: its options are not ours
};

// Where the program to run begins: after "--", else at the first word that is neither an option nor an option's value.
Split split_program(const Command& command, const std::vector<std::string>& words) {
  Split split;
  auto word = words.begin();
  while (word != words.end() && *word != "--" && word->size() > 1 && word->front() == '-') {
    const OptionRow* option = find_option(command, *word);
    split.own.push_back(*word++);
    if (option != nullptr && option->kind != ValueKind::none && word != words.end()) split.own.push_back(*word++);
  }
  if (word != words.end() && *word == "--") ++word;
  split.program.assign(word, words.end());
  return split;
}

Error usage_error(const Command& command, std::string_view what) {
  return Error{ErrorKind::usage, fmt::format("{} (`culprit help {}`)", what, command.name), {}};
}

Error unknown_option(const Command& command, std::string_view word) {
  std::vector<std::string_view> names;
  for (const OptionRow& option : command.options) names.push_back(option.name);
  std::string_view near = nearest(word.substr(0, word.find('=')), names);
  std::string hint = near.empty() ? "" : fmt::format("; did you mean {}?", near);
  return usage_error(command, fmt::format("{} has no option {}{}", command.name, word, hint));
}

struct OperandRule {
  Operands operands;
  size_t least, most;
};
constexpr OperandRule operand_rules[] = {{Operands::none, 0, 0},          {Operands::at_most_one, 0, 1},
                                         {Operands::at_most_two, 0, 2},   {Operands::one, 1, 1},
                                         {Operands::one_or_two, 1, 2},    {Operands::one_or_more, 1, SIZE_MAX},
                                         {Operands::program, 1, SIZE_MAX}};

Result<void> check_operands(const Command& command, const std::vector<std::string>& operands) {
  for (const OperandRule& rule : operand_rules) {
    if (rule.operands != command.operands) continue;
    auto because = [&](std::string_view why) {
      return tl::unexpected<Error>(
          usage_error(command, fmt::format("{}; usage: culprit {} {}", why, command.name, command.usage)));
    };
    if (operands.size() < rule.least)
      return because(rule.operands == Operands::program ? "no program to run was given" : "something is missing");
    if (operands.size() > rule.most) return because(fmt::format("'{}' is too much", operands[rule.most]));
  }
  return {};
}

}  // namespace

Result<Invocation> parse_invocation(const std::vector<std::string>& words) {
  NamedCommand named = command_of(words);
  Invocation invocation{named.command, {}};
  const Command& command = *invocation.command;
  std::vector<std::string> rest(words.begin() + static_cast<ptrdiff_t>(named.words), words.end());
  Split split = command.operands == Operands::program ? split_program(command, rest) : Split{rest, {}};
  if (std::ranges::any_of(split.own, is_help))
    return Invocation{find_command("help"), Arguments{{std::string(command.name)}, {}}};

  for (const std::string& word : split.own) {
    const OptionRow* option = find_option(command, std::string_view(word).substr(0, word.find('=')));
    if (word.find('=') != word.npos && option != nullptr && option->kind == ValueKind::none)
      return tl::unexpected<Error>(usage_error(command, fmt::format("{} takes no value", option->name)));
  }

  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  std::map<std::string_view, std::string> values;
  for (const OptionRow& option : command.options) {
    std::string names =
        option.alias.empty() ? std::string(option.name) : fmt::format("{},{}", option.alias, option.name);
    if (option.kind == ValueKind::none) {
      app.add_flag(names);
    } else {
      CLI::Option* added = app.add_option(names, values[option.name]);
      added->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
      if (may_lack_value(option)) added->expected(0, 1);
    }
  }
  try {
    app.parse(std::vector<std::string>(split.own.rbegin(), split.own.rend()));
  } catch (const CLI::ArgumentMismatch& problem) {
    return tl::unexpected<Error>(usage_error(command, fmt::format("an option lacks its value: {}", problem.what())));
  } catch (const CLI::ParseError& problem) {
    return tl::unexpected<Error>(usage_error(command, problem.what()));
  }

  Arguments& arguments = invocation.arguments;
  bool options_ended = false;
  for (const std::string& word : app.remaining()) {
    if (!options_ended && word == "--") {
      options_ended = true;
    } else if (!options_ended && word.size() > 1 && word.front() == '-') {
      return tl::unexpected<Error>(unknown_option(command, word));
    } else {
      arguments.operands.push_back(word);
    }
  }
  if (command.operands == Operands::program) arguments.operands = split.program;
  for (const OptionRow& option : command.options) {
    if (app.count(std::string(option.name)) == 0) continue;
    std::string value = option.kind == ValueKind::none ? "" : values[option.name];
    if (auto checked = check_value(option, value); !checked)
      return tl::unexpected<Error>(usage_error(command, checked.error().what));
    arguments.options.emplace(option.name, value);
  }
  CULPRIT_TRY(check_operands(command, arguments.operands));
  return invocation;
}

}  // namespace culprit
