// `culprit locks`: who holds, who waits, and who is to blame.
#pragma once

#include "shell/command.h"

namespace culprit {

Ending run_locks(const Arguments& arguments, const Streams& streams);

}  // namespace culprit
