#include "symbols/demangle.h"

#include <llvm/Demangle/Demangle.h>

namespace culprit {

std::string demangle(std::string_view name) {
  std::string mangled(name), readable;
  return llvm::nonMicrosoftDemangle(mangled.c_str(), readable) ? readable : mangled;
}

}  // namespace culprit
