// A core that comes out of a pipe, cut down as it comes (format/small_core.h): a core of any size takes as much memory
// and room as what is kept of it.
#pragma once

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "format/small_core.h"

namespace culprit {

struct StreamedCore {
  Fd file;                 // the small core, in memory (memfd)
  uint64_t size = 0;       // of it
  uint64_t original = 0;   // bytes that came
  std::string incomplete;  // why it ends early, as a clause; empty: it does not
};

// Reads `input` to its end. Errors: as of the plan; no_access and others of reading.
Result<StreamedCore> read_core_stream(int input, const SmallCoreWish& wish);

}  // namespace culprit
