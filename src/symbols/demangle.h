// Linker names to the names people wrote.
#pragma once

#include <string>
#include <string_view>

namespace culprit {

// Itanium C++ and Rust names; anything else comes back unchanged. A clone suffix of the compiler stays visible:
// "_Z3fooi.cold" -> "foo(int) [.cold]".
std::string demangle(std::string_view name);

}  // namespace culprit
