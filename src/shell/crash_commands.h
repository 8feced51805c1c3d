// `culprit crash`: what happened, where, why and whose fault.
#pragma once

#include "shell/command.h"
#include "target/target.h"

namespace culprit {

Ending run_crash(const Arguments& arguments, const Streams& streams);
// The same of a target that is open.
Ending answer_crash(Target& target, const Arguments& arguments, const Streams& streams);

}  // namespace culprit
