// std::terminate: of an exception that nobody catches, that a noexcept function keeps in, or without one; and what the
// program's own terminate handler makes of it.
#pragma once

#include "analysis/crash_cause.h"

namespace culprit {

// Of a thread that stands in std::terminate, with nothing of the program's own further inside. Nothing: it does not.
std::optional<CrashVerdict> cause_of_terminate(CrashScene& scene);

// `verdict` is about a thread that may stand in a terminate handler of the program's: then it becomes one about the
// exception if the handler ended the program as it meant to, and else is told where it was.
void look_behind_terminate_handler(CrashScene& scene, CrashVerdict& verdict);

}  // namespace culprit
