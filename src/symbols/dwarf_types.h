// Types in DWARF: their names, sizes, and what lies at an offset. However the entries refer to each other, this ends.
#pragma once

#include <llvm/DebugInfo/DWARF/DWARFDie.h>

#include <optional>
#include <string>

namespace culprit {

// DW_AT_type, also of what the entry is an instance of.
llvm::DWARFDie type_of(const llvm::DWARFDie& die);
// Without typedefs, const and volatile.
llvm::DWARFDie plain_type(llvm::DWARFDie type);
// "const shop::Cart*"
std::string type_name(const llvm::DWARFDie& type);
// In bytes; nothing: not known, or none.
std::optional<uint64_t> size_of(const llvm::DWARFDie& type);

bool is_pointer(const llvm::DWARFDie& plain);  // to data or code
bool is_reference(const llvm::DWARFDie& plain);
bool is_compound(const llvm::DWARFDie& plain);  // a class, struct or union

// An object that lies within another.
struct PartOfObject {
  std::string text;               // "cart.items[2].price"
  llvm::DWARFDie type;            // plain
  bool is_virtual_table = false;  // the hidden pointer to it; then `text` is what has it
};
// The innermost part of an object of that type at an offset, as far as it has one name: members of unions and bit
// fields may share it. `text` is how the object is written, `member` what stands between it and a member's name.
PartOfObject part_at(const llvm::DWARFDie& type, uint64_t offset, std::string text, std::string_view member);

}  // namespace culprit
