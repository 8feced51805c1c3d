#include "symbols/demangle.h"

#include <llvm/Demangle/Demangle.h>

#include <cstdlib>

namespace culprit {
namespace {

// A name is a program: each substitution may repeat all that came before, so that 300 bytes can stand for 2^60. N of
// them make at most 3^(N/3) copies, and the demangler's recursion is no deeper than the name is long.
constexpr size_t longest_name = 4096;
constexpr size_t most_repetitions = 40;

// Itanium: S_, S0_ …, T_, T0_ …, while St, Sa, Ss … are fixed words. Rust: B.
size_t count_repetitions(std::string_view name) {
  size_t count = 0;
  for (size_t i = 0; i + 1 < name.size(); ++i) {
    bool is_word = name[i + 1] >= 'a' && name[i + 1] <= 'z';
    count += ((name[i] == 'S' || name[i] == 'T') && !is_word) || name[i] == 'B';
  }
  return count;
}

}  // namespace

std::string demangle_unbounded(std::string_view name) {
  std::string result(name);
  char* readable = nullptr;
  if (name.starts_with("_Z")) readable = llvm::itaniumDemangle(result.c_str(), nullptr, nullptr, nullptr);
  if (name.starts_with("_R")) readable = llvm::rustDemangle(result.c_str());
  if (readable != nullptr) result = readable;
  std::free(readable);
  return result;
}

std::string demangle(std::string_view name) {
  bool is_safe = name.size() <= longest_name && count_repetitions(name) <= most_repetitions;
  return is_safe ? demangle_unbounded(name) : std::string(name);
}

}  // namespace culprit
