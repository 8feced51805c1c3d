// `culprit diff` of recordings of memory.
#pragma once

#include "model/trace.h"
#include "shell/command.h"

namespace culprit {

// Of two recordings, named by the operands; or of two moments of one, where `before` and `after` are the same.
Ending diff_memory_recordings(Trace& before, Trace& after, const Arguments& arguments, const Streams& streams);

}  // namespace culprit
