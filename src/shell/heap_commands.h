// The command about memory: `heap`.
#pragma once

#include "shell/command.h"
#include "symbols/symbolizer.h"
#include "target/target.h"

namespace culprit {

// Of a process, a core or a recording.
Ending run_heap(const Arguments& arguments, const Streams& streams);
// Of a process or core that is open already.
Ending answer_heap(Target& target, const Arguments& arguments, const Streams& streams,
                   const SymbolOptions& symbols = {});

// Whether the options of `culprit heap` are such that only a process or core can be asked, and not a recording.
bool asks_a_target(const Arguments& arguments);

}  // namespace culprit
