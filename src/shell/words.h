// Words as people type them at a prompt.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shell/command.h"

namespace culprit {

// Split at blanks; '…' and "…" keep them together.
std::vector<std::string> split_words(std::string_view line);
// The first command of a line, without blanks around it; `line` becomes what follows its semicolon. Semicolons in
// quotes and in braces belong to the command.
std::string_view take_command(std::string_view& line);
// What is between the brace that `text` begins with and its match; `text` becomes what follows. Nothing: it does not
// begin with one, or none closes it. Braces in quotes do not count.
std::optional<std::string_view> take_block(std::string_view& text);
std::string_view trimmed(std::string_view text);

// The same options as on a command line. Errors: an unknown option, a value that is missing or of the wrong kind, too
// many operands.
Result<Arguments> parse_words(const Command& command, const std::vector<std::string>& words);

}  // namespace culprit
