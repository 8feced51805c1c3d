// The second way into libc, for where its system calls cannot be patched (other code than expected, or text that may
// not be changed): functions of ours in front of its exported ones. Linked into libculprit_agent_wrappers.so only.
#pragma once

#include "agent/stubs.h"

namespace culprit::agent {

// Wrappers in this library? Then libc is not patched, and the environment keeps naming the agent (an exec cannot be
// helped along).
bool wrapping();
// Finds the real functions behind the wrappers. Before any of them is called.
void find_wrapped_functions();

// Registers.stub_index of a wrapper: this plus its number.
inline constexpr uint64_t first_wrapper = uint64_t{1} << 20;

}  // namespace culprit::agent
