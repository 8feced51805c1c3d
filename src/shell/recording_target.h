// Targets that are recordings.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "model/trace.h"

namespace culprit {

// The error says, in one sentence, what else the target is, or where an unfinished recording lies.
Result<std::unique_ptr<Trace>> open_recording_target(const std::string& target);

// Several process trees were recorded: no program has been launched whose report would be asked for.
bool has_many_roots(const TraceTables& tables);

}  // namespace culprit
