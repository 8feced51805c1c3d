// Which memory is stack. The unwinder reads nothing outside it, so that a wrong rule or a strange stack can never make
// it fault.
#pragma once

#include "agent/process.h"

namespace culprit::agent {

struct StackBounds {
  uint64_t start, end;
};

// The mapping around this stack pointer, from the list of those known or from the collector. False: not known.
bool find_stack(uint64_t stack_pointer, StackBounds& bounds);

// Changes whenever a known stack is forgotten or changed.
uint32_t stack_epoch();

// Both lie in one stack that is known already.
bool same_stack(uint64_t a, uint64_t b);

// [start, end) is about to be unmapped or mapped over.
void forget_stacks(uint64_t start, uint64_t end);

}  // namespace culprit::agent
