// Replacing the system calls of libc and ld.so by jumps to stubs.
#pragma once

#include "wire/agent_attach.h"

namespace culprit::agent {

// Patches what the collector listed for this process, once, while the process has a single thread. What was done and
// refused stands in the process record.
void patch_libraries();

// Makes the stubs only, and says which jumps the collector is to write. False: they could not be written.
bool prepare_jumps(culprit_attach& attach);

}  // namespace culprit::agent
