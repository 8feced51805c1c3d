// The commands about threads.
#pragma once

#include "shell/command.h"
#include "symbols/symbolizer.h"
#include "target/target.h"

namespace culprit {

Ending run_stacks(const Arguments& arguments, const Streams& streams);
// The same of a target that is open already.
Ending answer_stacks(Target& target, const Arguments& arguments, const Streams& streams,
                     const SymbolOptions& symbols = {});

}  // namespace culprit
