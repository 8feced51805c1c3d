// Whole stacks of before, each with all that it follows from: for a thread that comes by the same few call paths in
// turn, where the last capture alone would have to be brought up to date each time.
//
// A walk is a function of the state it begins with and of the words it reads. So where the state and all words are the
// same, the result is.
#pragma once

#include "agent/call_tree.h"

namespace culprit::agent {

struct CallSite;

// The node of the stack at `site`, if it is one of those remembered; else 0. The thread must be on the stack (memory)
// that they were remembered on.
uint32_t recall_stack(CallTree& tree, const CallSite& site);

// Remembers what tree.last holds, which must be the whole stack at `site`, with its `node`.
void remember_whole_stack(CallTree& tree, const CallSite& site, uint32_t node);

// The thread is on another stack, or the nodes are no more.
void forget_whole_stacks(CallTree& tree);

}  // namespace culprit::agent
