// Whether a thread is inside its allocator: what that calls of its own kind, or of the kernel, is its own business.
#pragma once

#include "agent/thread.h"

namespace culprit::agent {

// `here`: a stack pointer of the caller. Who left the allocator by a jump (longjmp) is found further up the stack.
inline bool inside_allocator(uint64_t here) { return here < thread.allocator_stack; }

// Runs `call`, which calls the real allocator for the caller at `here`.
template <typename Call>
inline auto in_allocator(uint64_t here, Call call) {
  uint64_t outer = thread.allocator_stack;
  thread.allocator_stack = here;
  auto result = call();
  thread.allocator_stack = outer;
  return result;
}

}  // namespace culprit::agent
