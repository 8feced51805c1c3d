// `culprit handles PID --for 30s`: recording a live process for a while, then the same answers as of a recording.
#pragma once

#include "shell/handle_question.h"
#include "shell/live_session.h"

namespace culprit {

// Goes on until --for is over, the line of --until-enter is entered, Ctrl-C, or the end of the process.
void record_for(LiveSession& session, const Arguments& arguments);
// The same without options: until that moment, or earlier if Ctrl-C or the end of the process come first.
void record_until(LiveSession& session, Time until, bool until_enter = false);

Ending run_live_handles(uint32_t pid, const Arguments& arguments, const Streams& streams);

}  // namespace culprit
