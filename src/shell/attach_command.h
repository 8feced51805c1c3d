// `culprit attach PID`: the console on a live process.
#pragma once

#include "shell/command.h"

namespace culprit {

Ending run_attach(const Arguments& arguments, const Streams& streams);

}  // namespace culprit
