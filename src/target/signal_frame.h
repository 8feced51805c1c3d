// The frame that the kernel puts on a thread's stack before a signal handler, and takes the thread's state from in
// rt_sigreturn (arch/x86/kernel/signal_64.c, struct rt_sigframe). x86-64.
#pragma once

#include <sys/user.h>

#include <cstdint>
#include <vector>

#include "base/bytes.h"

namespace culprit {

struct SignalFrame {
  uint64_t address = 0;  // where it has to lie; a function entered with this stack pointer returns into `restorer`
  std::vector<std::byte> bytes;  // up to the end of the vector registers' part
};

// The frame below `stack_top` from which rt_sigreturn gives a thread these registers, vector registers (as
// PTRACE_GETREGSET NT_X86_XSTATE has them; none: as at a program's beginning) and signal mask. A system call that was
// interrupted is made anew. No bytes: the vector registers make no sense.
SignalFrame make_signal_frame(uint64_t stack_top, uint64_t restorer, const user_regs_struct& registers, Bytes vectors,
                              uint64_t signal_mask);

}  // namespace culprit
