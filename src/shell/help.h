// Help, completion and the command reference, all from the rows of all_commands.cc.
#pragma once

#include <string>

#include "shell/command.h"

namespace culprit {

std::string overview_help();                       // `culprit`, `culprit --help`
std::string command_help(const Command& command);  // `culprit help NAME`, `culprit NAME --help`
std::string commands_markdown();                   // docs/commands.md
std::string bash_completion();                     // `culprit completion bash`

}  // namespace culprit
