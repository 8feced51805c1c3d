// The table of a function by which the C++ run-time decides what becomes of an exception that comes out of a call: the
// LSDA of .gcc_except_table, as GCC and Clang write it (gcc/except.cc, libstdc++ eh_personality.cc).
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace culprit {

enum class ExceptionWay : uint8_t {
  unknown,   // the table makes no sense
  passes,    // on to the caller
  lands,     // in code of the function: a handler that may not be for it, or destructors
  forbidden  // the call stands in none of its rows: std::terminate, as of noexcept functions
};

// `table` begins with the function's and may go on behind it; it lies at `address`. `pc` is inside of the call, as an
// offset from the function's start.
ExceptionWay way_of_exception(Bytes table, uint64_t address, uint64_t pc);

}  // namespace culprit
