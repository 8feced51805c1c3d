// Commands of the command line, asked of the console's target.
#pragma once

#include <string_view>
#include <vector>

#include "shell/console_session.h"

namespace culprit {

// `culprit NAME [words] TARGET`, to the console's streams. A failure has been complained about already.
void run_command_row(Console& console, std::string_view name, const std::vector<std::string>& words);

}  // namespace culprit
