// The command about memory: `heap`.
#pragma once

#include "shell/command.h"

namespace culprit {

Ending run_heap(const Arguments& arguments, const Streams& streams);

}  // namespace culprit
