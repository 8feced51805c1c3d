// Words as people type them at a prompt.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shell/command.h"

namespace culprit {

// Split at blanks; '…' and "…" keep them together.
std::vector<std::string> split_words(std::string_view line);
// Split at semicolons outside of quotes.
std::vector<std::string> split_commands(std::string_view line);

// The same options as on a command line. Errors: an unknown option, a value that is missing or of the wrong kind, too
// many operands.
Result<Arguments> parse_words(const Command& command, const std::vector<std::string>& words);

}  // namespace culprit
