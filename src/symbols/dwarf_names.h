// Names in DWARF, with what is around them. For what else reads DWARF by LLVM, in this room alone.
#pragma once

#include <llvm/DebugInfo/DWARF/DWARFDie.h>

#include <string>

namespace culprit {

struct FunctionName {
  std::string text;
  bool from_linker_name = false;
};

FunctionName name_of(const llvm::DWARFDie& function);

// "ns::Class::": the class, function and namespaces around what has no linker name (static functions in C++, lambdas,
// types).
std::string scope_of(llvm::DWARFDie die);

}  // namespace culprit
