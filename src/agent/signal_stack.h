// A stack on which the handler of death.h runs where the thread's own has no room left: endless recursion.
//
// A thread gets one where the program has given it none, and the program sees none of it: what it asks for with
// sigaltstack is answered as if nothing stood there, and what it sets stands. Once the program has a handler of its own
// that asks for such a stack (SA_ONSTACK), no thread gets one any more: that handler is to run where it would.
#pragma once

#include "agent/hooks.h"

namespace culprit::agent {

// From now on threads get one; this one at once.
void begin_signal_stacks();
// Threads that begin get none any more.
void end_signal_stacks();

// Of threads, whether they can be recorded or not.
void begin_thread(Registers& registers, uint32_t call);
void end_thread(Registers& registers, uint32_t call);
void after_sigaltstack(const Registers& registers, uint32_t call);

}  // namespace culprit::agent
