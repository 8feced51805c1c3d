// Replacing the system calls of libc and ld.so by jumps to stubs.
#pragma once

namespace culprit::agent {

// Patches what the collector listed for this process, once, while the process has a single thread. What was done and
// refused stands in the process record.
void patch_libraries();

}  // namespace culprit::agent
