// `culprit shell TARGET`: the console on a live process, a core or a recording.
#pragma once

#include "shell/command.h"
#include "shell/console_session.h"

namespace culprit {

Ending run_shell(const Arguments& arguments, const Streams& streams);

// Commands of --command, of a script on standard input, or of a person. Ends in failure if one of the first two could
// not be done.
Ending converse(ConsoleSession& session, const Arguments& arguments, const Streams& streams);

}  // namespace culprit
