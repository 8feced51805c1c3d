// The core of a process as a target: made by the kernel or by gdb's gcore, whole or cut off. open_core() of target.h
// reads one from a file.
#pragma once

#include <memory>
#include <string>

#include "base/bytes.h"
#include "target/module_search.h"
#include "target/target.h"

namespace culprit {

struct CoreSource {
  std::string name;        // for errors and TargetInfo
  SearchPlaces places;     // of the files that were mapped
  std::string incomplete;  // why bytes are known to be missing, as a clause; may be empty
};

// From bytes, which must outlive the target. Errors say what the file is instead.
Result<std::unique_ptr<Target>> open_core_bytes(Bytes bytes, CoreSource source);

}  // namespace culprit
