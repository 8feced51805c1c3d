// The numbers by which parts of one trace name each other. They mean something only together with the TraceTables
// they came from. 0 is always "none".
#pragma once

#include <cstdint>

#include "base/id.h"

namespace culprit {

enum class StringId : uint32_t { none = 0 };   // TraceTables::strings; none is ""
enum class ModuleId : uint32_t { none = 0 };   // TraceTables::modules
enum class ProcessId : uint32_t { none = 0 };  // TraceTables::processes: one life of a pid; an exec keeps it
enum class StackId : uint32_t {
  none = 0,       // no stack was taken; as a caller: the walk ended where the thread's stack begins
  truncated = 1,  // as a caller: the walk had to stop here, outer frames are missing
};

// CLOCK_MONOTONIC nanoseconds of the machine that recorded.
using Time = int64_t;

}  // namespace culprit
