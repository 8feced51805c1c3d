// `culprit heap PID --stacks-of-size N` and `--suspect`: who allocates blocks of a size, from now on.
#pragma once

#include "shell/command.h"

namespace culprit {

Ending run_stacks_of_size(uint32_t pid, const Arguments& arguments, const Streams& streams);

// Two looks at the heap tell which size grows; then its stacks.
Ending run_suspect(uint32_t pid, const Arguments& arguments, const Streams& streams);

}  // namespace culprit
