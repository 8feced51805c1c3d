// The words of a command line become a command and its arguments, by the rows of shell/all_commands.cc.
#pragma once

#include <string>
#include <vector>

#include "shell/command.h"

namespace culprit {

struct Invocation {
  const Command* command = nullptr;
  Arguments arguments;
};

// `words`: the command's name (of one or two words) and what follows it; some command is named. "NAME --help" becomes `help NAME`. Errors are of kind usage.
Result<Invocation> parse_invocation(const std::vector<std::string>& words);

}  // namespace culprit
