// What the kernel starts for each crash while `culprit catch` is installed: reads the core from a pipe, keeps the page.
#pragma once

#include <cstdint>
#include <string>

#include "shell/catch_folder.h"

namespace culprit {

struct CatchRequest {
  uint32_t pid = 0;  // of the process that dies, and is there until the core was read; 0: there is none
  int core = 0;      // to read from
};

// Never blocks the machine: few at a time, a time limit, the lowest priority once the process need not wait for us, the
// first to be killed when memory gets scarce, and no core of its own. What is no core is kept with its `problem`.
// Errors: limit (nothing was looked at, which is noted), and those of writing (noted, too, if that is possible).
Result<CaughtCrash> handle_crash(const CatchFolder& folder, const CatchRequest& request);

}  // namespace culprit
