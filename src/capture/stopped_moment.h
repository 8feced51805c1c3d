// A moment in which all threads of a process stand still, and what their stacks hold then.
#pragma once

#include <functional>
#include <vector>

#include "capture/thread_choice.h"
#include "target/process_stopper.h"

namespace culprit {

// Stops all threads, has `work` done, and lets them run on; again and again until it says true. Errors: those of
// `work`, which end it; limit (it could not be stopped, or `work` did not say true, within `patience`), gone, no_access.
Result<void> while_stopped(TouchedProcess& victim, Time patience,
                           const std::function<Result<bool>(std::vector<ProcessStopper::Thread>&)>& work);

// What a stopped thread's stack holds from that address outwards; empty: it is not to be had, or more than can be
// looked at while threads stand still.
std::vector<uint64_t> stack_words(TouchedProcess& victim, uint64_t stack_pointer);

// struct rt_sigframe as words: the return address into rt_sigreturn, and the interrupted thread's state behind it.
inline constexpr size_t sp_in_signal_frame = (8 + 160) / sizeof(uint64_t),
                        pc_in_signal_frame = (8 + 168) / sizeof(uint64_t);

}  // namespace culprit
