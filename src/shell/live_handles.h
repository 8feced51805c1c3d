// `culprit handles PID --for 30s`: recording a live process for a while, then the same answers as of a recording.
#pragma once

#include "shell/handle_question.h"

namespace culprit {

Ending run_live_handles(uint32_t pid, const Arguments& arguments, const Streams& streams);

}  // namespace culprit
