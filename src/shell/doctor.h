// `doctor`: what works on this machine, what does not, and what to do about it.
#pragma once

#include "shell/command.h"

namespace culprit {

Ending run_doctor(const Arguments& arguments, const Streams& streams);

}  // namespace culprit
