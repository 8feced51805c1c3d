// The user's blame rules: of the file that --blame-rules names, and of the folder of settings.
#pragma once

#include "shell/command.h"

namespace culprit {

inline constexpr std::string_view blame_rules_name = "--blame-rules";

// Takes them for all that follows, before anybody is blamed: only for who starts the program. Of a command without the
// option, which blames nobody, no file is read. A file that is not there or not understood is an error; but there need
// be none in the folder of settings: $XDG_CONFIG_HOME/culprit/blame, else ~/.config/culprit/blame.
Result<void> use_blame_rules(const Command& command, const Arguments& arguments);

}  // namespace culprit
