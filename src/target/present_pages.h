// Which pages of a live process there are: /proc/PID/pagemap. What was never touched is read as zeros, and reading it
// would make the kernel build page tables for it.
#pragma once

#include <cstdint>

#include "target/target.h"

namespace culprit {

// Of more than `most_asked` bytes nothing is asked: then all are said to be there.
inline constexpr uint64_t most_asked = uint64_t{1} << 40;
PresentPages present_pages_of(uint32_t pid, uint64_t start, uint64_t end);

// Whether something was ever written into a private mapping of a file that is no module: then it has pages of its own,
// which is what cores store of such mappings (coredump_filter, core(5)). True where that is not known.
bool was_written(Target& target, const TargetMapping& mapping);

}  // namespace culprit
