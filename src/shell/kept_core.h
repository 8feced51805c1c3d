// The small core of a caught crash, on disk, and what whoever opens it later needs beside it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "target/core_stream.h"
#include "target/held_files.h"

namespace culprit {

// A file for its owner alone, on the disk when this returns.
Result<void> write_new_file(const std::string& path, std::string_view bytes);

struct KeptCore {
  uint64_t bytes = 0;                     // of it; 0: it is not kept
  std::vector<std::string> shortcomings;  // what is not kept, and why, a sentence each
};

// Writes `folder`/core and, as no path leads to them any more, copies of the gone files, 128 MB at most: a core is
// looked up with what lies beside it. What is not kept leaves nothing behind.
KeptCore keep_core(const std::string& folder, const StreamedCore& core, const std::vector<HeldFile>& gone);

}  // namespace culprit
