// Exact stacks of the calling thread, without frame pointers, at the price of what changed since the last one.
#pragma once

#include "agent/call_tree.h"

namespace culprit::agent {

// Where a walk begins: the state of a libc function at its system call.
struct CallSite {
  uint64_t lookup;  // an address inside the instruction whose rule holds
  uint64_t pc;      // what is recorded as innermost frame (a return address)
  uint64_t rsp;
  uint64_t rbp;
};

// The node of the stack at `site`; root_truncated if nothing can be said.
uint32_t capture_stack(CallTree& tree, const CallSite& site);

// The same without touching the tree (inside a signal handler that interrupted a capture): innermost first, with the
// bits of call_tree.h. Returns the number of frames; `root` says how it ended.
uint32_t walk_stack(const CallSite& site, uint64_t* frames, uint32_t limit, uint32_t& root);

}  // namespace culprit::agent
