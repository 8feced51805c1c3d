// `culprit watch`: the number of handles, again and again.
#pragma once

#include "shell/command.h"

namespace culprit {

Ending run_watch(const Arguments& arguments, const Streams& streams);

}  // namespace culprit
