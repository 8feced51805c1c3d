// What people type for a moment of a recording.
#pragma once

#include <string>

#include "base/result.h"
#include "model/trace.h"

namespace culprit {

// "10s" since the beginning, or the name of a mark (the newest of that name). The error lists the marks there are.
Result<Time> moment_of(Trace& trace, const std::string& word);

// The newest mark that is earlier than `before`; an error when there is none.
Result<Mark> newest_mark(Trace& trace, Time before);

}  // namespace culprit
