// What people type for a moment of a recording.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "model/trace.h"

namespace culprit {

// "10s" since the beginning, or the name of a mark (the newest of that name). The error lists the marks there are.
Result<Time> moment_of(Trace& trace, const std::string& word);

// The newest mark that is earlier than `before`; an error when there is none.
Result<Mark> newest_mark(Trace& trace, Time before);

// When allocations were recorded, in a recording in which that went on and off (LiveSession::record_memory).
struct MemoryStretch {
  Time from = INT64_MIN, to = INT64_MAX;  // to: it did not go off again
};
// In order of time; none: they were recorded from beginning to end, or never.
Result<std::vector<MemoryStretch>> memory_stretches(Trace& trace);

}  // namespace culprit
