// Files that a process has mapped and no path leads to any more: deleted, or replaced by another build. The kernel
// keeps them as long as the process; who holds one open, can read it after that, too.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/fd.h"

namespace culprit {

struct HeldFile {
  std::string path;  // as the process knew it
  Fd file;           // for reading

  std::string place() const;  // a path to it, for us and our children, as long as it is held
};

// Those with code, and a bounded number of them. Takes CAP_CHECKPOINT_RESTORE, except for the program's own; what
// cannot be had is left out.
std::vector<HeldFile> hold_gone_files(uint32_t pid);

}  // namespace culprit
