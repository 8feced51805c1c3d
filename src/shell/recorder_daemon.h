// The background process of `culprit record start`: it records, answers at its control socket, and ends when it is told
// to, or when its own conditions say so.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "shell/live_session.h"
#include "shell/recorder_folder.h"
#include "shell/stop_condition.h"

namespace culprit {

struct RecorderPlan {
  std::string name;
  LiveRequest request;  // `output` is an absolute path
  Time duration = 0;    // of --for; 0: none
  std::optional<StopCondition> stop_when;
  std::string stop_when_text;
};

// Puts a recorder into the background. Returns when it records really, with what it says of itself, or with why it does
// not. `plan.name` may get a number, where another recorder has that name.
Result<RecorderReport> start_recorder(RecorderPlan plan, const RecorderFolder& folder);

}  // namespace culprit
