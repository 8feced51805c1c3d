// Shorter names of functions, from those which demangling gives.
#pragma once

#include <string>
#include <string_view>

namespace culprit {

// "void ns::C<int>::f<char>(int) const" -> "ns::C::f": what people type, and what the function globs of rules are
// compared with.
std::string qualified_name(std::string_view demangled);

// "void ns::C<int>::f<char>(int) const" -> "void ns::C<int>::f<char>".
std::string_view without_parameters(std::string_view function);

}  // namespace culprit
