// The commands about handles: `run` and `handles`.
#pragma once

#include "shell/command.h"

namespace culprit {

Ending run_run(const Arguments& arguments, const Streams& streams);
Ending run_handles(const Arguments& arguments, const Streams& streams);

}  // namespace culprit
