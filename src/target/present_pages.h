// Which pages of a live process there are: /proc/PID/pagemap. What was never touched is read as zeros, and reading it
// would make the kernel build page tables for it.
#pragma once

#include <cstdint>

#include "base/fd.h"
#include "target/target.h"

namespace culprit {

// Of more than `most_asked` bytes nothing is asked: then all are said to be there.
inline constexpr uint64_t most_asked = uint64_t{1} << 40;
class PageMap {
 public:
  // Opened once, as a program may have tens of thousands of mappings. It is of the address space that `pid` has then:
  // of one that has made place for another (exec) nothing is known, and all is said to be there.
  static PageMap of(uint32_t pid);
  PresentPages present_in(AddressRange range) const;

 private:
  explicit PageMap(Fd file) : file_(std::move(file)) {}
  Fd file_;  // -1: it cannot be read
};

// Whether something was ever written into a private mapping of a file that is no module: then it has pages of its own,
// which is what cores store of such mappings (coredump_filter, core(5)). True where that is not known.
bool was_written(Target& target, const TargetMapping& mapping);

}  // namespace culprit
