// Before the process dies of a signal, the collector looks at it.
//
// Where a signal that makes a core by default has its default action, a handler of ours stands. It tells the collector,
// waits, puts the default back and sends the thread the same signal once more: the process then dies as if nobody had
// looked, with the same registers and the same siginfo. The program sees none of it: what it asks for with sigaction is
// answered as if the default stood there. Its own handlers are never touched. No look: where a signal that cannot wait
// is blocked, and where the thread's stack has no room left and the program wants no other (signal_stack.h).
#pragma once

#include "agent/hooks.h"

namespace culprit::agent {

// If the session wants it.
void watch_for_death();
// The defaults are back.
void stop_watching_for_death();
// The program has asked for an action, or set one.
void after_sigaction(const Registers& registers, uint32_t call);

}  // namespace culprit::agent
