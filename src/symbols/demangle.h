// Linker names to the names people wrote.
#pragma once

#include <string>
#include <string_view>

namespace culprit {

// Itanium C++ and Rust names; anything else comes back unchanged, also names that would fill the memory. A clone suffix
// of the compiler stays visible:
// "_Z3fooi.cold" -> "foo(int) (.cold)".
std::string demangle(std::string_view name);

// Also names that may take all memory or stack: only for a process that may die of it (DwarfWorker).
std::string demangle_unbounded(std::string_view name);

}  // namespace culprit
