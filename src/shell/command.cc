#include "shell/command.h"

#include <fmt/format.h>

#include "base/syscall.h"
#include "base/text.h"
#include "shell/values.h"

namespace culprit {

std::string Arguments::text(std::string_view option) const {
  auto found = options.find(option);
  return found == options.end() ? std::string{} : found->second;
}

uint64_t Arguments::count(std::string_view option, uint64_t when_absent) const {
  return parse_count(text(option)).value_or(when_absent);
}

uint64_t Arguments::bytes(std::string_view option, uint64_t when_absent) const {
  return parse_size(text(option)).value_or(when_absent);
}

int64_t Arguments::nanoseconds(std::string_view option) const { return parse_duration(text(option)).value_or(0); }

const Command* find_command(std::string_view name) {
  for (const Command& command : all_commands())
    if (command.name == name) return &command;
  return nullptr;
}

NamedCommand command_of(std::span<const std::string> words) {
  if (words.size() > 1) {
    if (const Command* command = find_command(words[0] + " " + words[1])) return {command, 2};
  }
  const Command* command = words.empty() ? nullptr : find_command(words[0]);
  return {command, command != nullptr ? size_t{1} : size_t{0}};
}

std::vector<std::string_view> group_of(std::string_view first_word) {
  std::vector<std::string_view> seconds;
  for (const Command& command : all_commands()) {
    size_t blank = command.name.find(' ');
    if (blank != command.name.npos && command.name.substr(0, blank) == first_word)
      seconds.push_back(command.name.substr(blank + 1));
  }
  return seconds;
}

const OptionRow* find_option(const Command& command, std::string_view name_or_alias) {
  for (const OptionRow& option : command.options)
    if (option.name == name_or_alias || (!option.alias.empty() && option.alias == name_or_alias)) return &option;
  return nullptr;
}

Ending complain(const Streams& streams, std::string_view what) {
  // Nobody is left to tell when the error stream itself fails.
  (void)write_all(streams.errors, fmt::format("culprit: {}\n", printable(what)));
  return ended_in_failure;
}

Ending complain(const Streams& streams, const Error& error) {
  // Most sentences about bytes name the offset themselves.
  if (error.where.value_or(0) == 0 || error.what.find("offset") != error.what.npos)
    return complain(streams, error.what);
  return complain(streams, fmt::format("{} (at offset {:#x})", error.what, *error.where));
}

Ending answer(const Streams& streams, std::string_view text, Ending ending) {
  if (auto written = write_all(streams.output, text); !written) return complain(streams, written.error());
  return ending;
}

}  // namespace culprit
