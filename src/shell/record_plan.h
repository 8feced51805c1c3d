// What the options of `record start` mean.
#pragma once

#include "shell/command.h"
#include "shell/recorder_daemon.h"

namespace culprit {

// Errors are of kind usage (contradictions, unknown users) or those of reading.
Result<RecorderPlan> parse_record_plan(const Arguments& arguments);

}  // namespace culprit
