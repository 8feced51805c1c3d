// Entering and leaving the agent's code in a thread of the program: whether that thread can be recorded now, and what
// becomes of events in a signal handler that interrupts it there.
#pragma once

#include "agent/unwind.h"

namespace culprit::agent {

enum class HookEntry { refused, entered, nested };

// `here`: a stack pointer of the hook. nested: another hook of this thread is interrupted, and its tree and ring may be
// half-written; leave_hook() is then not called.
HookEntry enter_hook(uint64_t here);
void leave_hook();

// Are we in a nested hook? How deep is changed by in_hook() only.
extern __thread uint32_t nesting __attribute__((tls_model("initial-exec")));
inline bool is_nested() { return __builtin_expect(nesting != 0, 0); }

// Keeps the event of a nested hook until the interrupted one is done, with the stack at `site`.
void defer(const CallSite& site, const culprit_record& record);

// Runs `run` if this thread can be recorded.
template <typename Run>
inline void in_hook(uint64_t here, Run run) {
  HookEntry entry = enter_hook(here);
  if (entry == HookEntry::refused) return;
  if (__builtin_expect(entry == HookEntry::nested, 0)) {
    ++nesting;
    run();
    --nesting;
    return;
  }
  uint32_t outer = nesting;
  nesting = 0;
  run();
  nesting = outer;
  leave_hook();
}

}  // namespace culprit::agent
