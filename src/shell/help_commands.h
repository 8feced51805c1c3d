// `help` and `completion`.
#pragma once

#include <string_view>

#include "shell/command.h"

namespace culprit {

Ending run_help(const Arguments& arguments, const Streams& streams);
Ending run_completion(const Arguments& arguments, const Streams& streams);

// "there is no command 'hanldes'; did you mean `culprit handles`?"
Ending complain_about_command(const Streams& streams, std::string_view word);

}  // namespace culprit
