// Exact stacks of the calling thread, without frame pointers, at the price of what changed since the last one.
#pragma once

#include "agent/call_tree.h"
#include "agent/rules.h"
#include "agent/stacks.h"

namespace culprit::agent {

// Where a walk begins: the state of a libc function at its system call.
struct CallSite {
  uint64_t lookup;  // an address inside the instruction whose rule holds
  uint64_t pc;      // what is recorded as innermost frame (a return address)
  uint64_t rsp;
  uint64_t rbp;
};

// The node of the stack at `site`; root_truncated if nothing can be said. (capture.cc)
uint32_t capture_stack(CallTree& tree, const CallSite& site);

// The same without touching the tree: innermost first, with the bits of call_tree.h. Also through signal frames and our
// own code. Returns the number of frames; `root` says how it ended.
uint32_t walk_stack(const CallSite& site, uint64_t* frames, uint32_t limit, uint32_t& root);

// --- one step, shared by both ---

struct UnwindState {
  uint64_t lookup, rsp, rbp;
  StackBounds stack;

  bool readable(uint64_t address) const {
    return address >= stack.start && address <= stack.end - 8 && (address & 7) == 0;
  }
};

enum class Step { caller, interrupted, outermost, lost };

inline uint64_t word_at(uint64_t address) { return *reinterpret_cast<const uint64_t*>(address); }

// Any kind of step, also the rare ones.
Step step_by_rule(UnwindState& state, Rule rule, CapturedFrame& frame);

inline Step enter_caller(UnwindState& state, const CapturedFrame& frame) {
  state.rsp = frame.cfa;
  state.rbp = frame.rbp;
  state.lookup = (frame.return_address & address_mask) - 1;
  return frame.return_address == 0 ? Step::outermost : Step::caller;
}

}  // namespace culprit::agent
