// `culprit locks`: who holds, who waits, and who is to blame.
#pragma once

#include <string>

#include "shell/command.h"
#include "symbols/symbolizer.h"
#include "target/target.h"

namespace culprit {

Ending run_locks(const Arguments& arguments, const Streams& streams);
// The same of a target that is open already. `note`: a sentence on how it was looked at; may be empty.
Ending answer_locks(Target& target, const Arguments& arguments, const Streams& streams,
                    const SymbolOptions& symbols = {}, const std::string& note = "");

}  // namespace culprit
