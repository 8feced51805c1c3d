// The agent back end for a process that runs already: puts the agent in, records, takes it out again.
#pragma once

#include <memory>

#include "capture/ladder.h"

namespace culprit {

// Errors: sentences for the user; the process is as it was.
Result<std::unique_ptr<LiveRecorder>> start_agent_recorder(const WatchRequest& request, const AgentLibraries& libraries,
                                                           TraceTables& tables, EventSink& sink);

}  // namespace culprit
