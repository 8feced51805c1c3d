// `culprit diff`: two recordings, or two moments of one.
#pragma once

#include "shell/command.h"

namespace culprit {

Ending run_diff(const Arguments& arguments, const Streams& streams);

}  // namespace culprit
