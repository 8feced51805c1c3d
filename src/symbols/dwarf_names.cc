#include "symbols/dwarf_names.h"

#include "symbols/demangle.h"

namespace culprit {

std::string scope_of(llvm::DWARFDie die) {
  // Concrete and inlined instances refer to the abstract one, which refers to the declaration within its class.
  for (int step = 0; step < 8; ++step) {
    llvm::DWARFDie origin = die.getAttributeValueAsReferencedDie(llvm::dwarf::DW_AT_abstract_origin);
    if (!origin) origin = die.getAttributeValueAsReferencedDie(llvm::dwarf::DW_AT_specification);
    if (!origin) break;
    die = origin;
  }
  std::string scope;
  llvm::DWARFDie parent = die.getParent();
  for (int depth = 0; depth < 64 && parent; ++depth, parent = parent.getParent()) {
    const char* name = parent.getShortName();
    switch (parent.getTag()) {
      case llvm::dwarf::DW_TAG_namespace:
        scope.insert(0, std::string(name != nullptr ? name : "(anonymous namespace)") + "::");
        break;
      case llvm::dwarf::DW_TAG_class_type:
      case llvm::dwarf::DW_TAG_structure_type:
      case llvm::dwarf::DW_TAG_union_type:
        scope.insert(0, std::string(name != nullptr ? name : "(anonymous class)") + "::");
        break;
      case llvm::dwarf::DW_TAG_lexical_block:
        break;
      case llvm::dwarf::DW_TAG_subprogram:  // its name has all that is around it
        return scope.empty() ? scope : name_of(parent).text + "::" + scope;
      default:
        return scope;
    }
  }
  return scope;
}

FunctionName name_of(const llvm::DWARFDie& function) {
  if (const char* linker_name = function.getLinkageName()) {
    std::string text = demangle_unbounded(linker_name);
    return {.text = text, .from_linker_name = text != linker_name};
  }
  const char* name = function.getShortName();
  if (name == nullptr) return {};
  return {.text = scope_of(function) + name};
}

}  // namespace culprit
