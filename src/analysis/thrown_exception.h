// The C++ exception that a thread has thrown and nobody caught: its type and what(), read from memory by the ABI
// (Itanium C++ ABI, Exception Handling 2.2; libstdc++'s unwind-cxx.h, typeinfo, stdexcept). Needs no symbols.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/memory_reader.h"

namespace culprit {

struct ThrownException {
  uint64_t object = 0;
  std::string type;     // "std::runtime_error"
  std::string what;     // of std::runtime_error, std::logic_error and what is derived from them; empty: not known
  bool is_only = true;  // false: there are others, so that this may be an older one

  bool operator==(const ThrownException&) const = default;
};

// Looks at the words of the stack between two addresses for pointers to one. Nothing: there is none.
std::optional<ThrownException> find_thrown_exception(MemoryReader& memory, uint64_t from, uint64_t to);

}  // namespace culprit
