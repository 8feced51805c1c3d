#include "symbols/dwarf_types.h"

#include <llvm/DebugInfo/DWARF/DWARFFormValue.h>

#include "symbols/dwarf_names.h"

namespace culprit {
namespace {

namespace dwarf = llvm::dwarf;

constexpr int longest_chain = 32;        // of types that refer to the next
constexpr size_t most_members = 10'000;  // of one class
constexpr size_t longest_name = 400;

bool is_qualifier(dwarf::Tag tag) {
  return tag == dwarf::DW_TAG_const_type || tag == dwarf::DW_TAG_volatile_type || tag == dwarf::DW_TAG_restrict_type ||
         tag == dwarf::DW_TAG_atomic_type;
}

// Of an array with one dimension; nothing: it has several, or none that is known.
std::optional<uint64_t> element_count(const llvm::DWARFDie& array) {
  std::optional<uint64_t> count;
  for (const llvm::DWARFDie& child : array.children()) {
    if (child.getTag() != dwarf::DW_TAG_subrange_type) continue;
    if (count) return {};
    if (auto stated = dwarf::toUnsigned(child.find(dwarf::DW_AT_count)))
      count = *stated;
    else if (auto last = dwarf::toUnsigned(child.find(dwarf::DW_AT_upper_bound)))
      count = *last + 1;
    else
      return {};
  }
  return count;
}

// Where a member or base begins within its class; nothing: at no fixed byte, or it is no part (static).
std::optional<uint64_t> offset_of(const llvm::DWARFDie& member, bool is_union) {
  if (auto bits = dwarf::toUnsigned(member.find(dwarf::DW_AT_data_bit_offset))) return *bits / 8;
  if (auto offset = dwarf::toUnsigned(member.find(dwarf::DW_AT_data_member_location))) return *offset;
  bool is_static = member.find(dwarf::DW_AT_external).has_value() || member.find(dwarf::DW_AT_declaration).has_value();
  bool has_location = member.find(dwarf::DW_AT_data_member_location).has_value();
  return is_union && !is_static && !has_location ? std::optional<uint64_t>(0) : std::nullopt;
}

// The only member or base that holds the byte.
llvm::DWARFDie member_at(const llvm::DWARFDie& compound, uint64_t offset, uint64_t& start) {
  llvm::DWARFDie found;
  size_t looked_at = 0;
  for (const llvm::DWARFDie& child : compound.children()) {
    if (++looked_at > most_members) return {};
    if (child.getTag() != dwarf::DW_TAG_member && child.getTag() != dwarf::DW_TAG_inheritance) continue;
    auto begin = offset_of(child, compound.getTag() == dwarf::DW_TAG_union_type);
    auto size = size_of(type_of(child));
    if (!begin || !size || offset < *begin || offset - *begin >= *size) continue;
    // An empty base shares its byte with what comes first.
    bool is_empty_base = child.getTag() == dwarf::DW_TAG_inheritance && *size == 1;
    if (is_empty_base) continue;
    if (found) return {};
    found = child;
    start = *begin;
  }
  return found;
}

}  // namespace

llvm::DWARFDie type_of(const llvm::DWARFDie& die) {
  auto value = die.findRecursively({dwarf::DW_AT_type});
  llvm::DWARFDie type = value ? die.getAttributeValueAsReferencedDie(*value) : llvm::DWARFDie();
  return type ? type.resolveTypeUnitReference() : type;
}

llvm::DWARFDie plain_type(llvm::DWARFDie type) {
  for (int step = 0; type && step < longest_chain; ++step) {
    if (type.getTag() != dwarf::DW_TAG_typedef && !is_qualifier(type.getTag())) return type;
    type = type_of(type);
  }
  return {};
}

std::string type_name(const llvm::DWARFDie& type) {
  std::string behind, before;
  llvm::DWARFDie at = type;
  for (int step = 0; step < longest_chain; ++step) {
    if (!at) return before + "void" + behind;
    const char* name = at.getShortName();
    if (name != nullptr) return before + (scope_of(at) + name).substr(0, longest_name) + behind;
    switch (at.getTag()) {
      case dwarf::DW_TAG_pointer_type:
        behind.insert(0, before.empty() ? "*" : "* " + before.substr(0, before.size() - 1));
        before.clear();
        break;
      case dwarf::DW_TAG_reference_type:
        behind.insert(0, "&");
        break;
      case dwarf::DW_TAG_rvalue_reference_type:
        behind.insert(0, "&&");
        break;
      case dwarf::DW_TAG_const_type:
        before = "const ";
        break;
      case dwarf::DW_TAG_volatile_type:
      case dwarf::DW_TAG_restrict_type:
      case dwarf::DW_TAG_atomic_type:
        break;
      case dwarf::DW_TAG_array_type:
        behind.insert(0, "[]");
        break;
      case dwarf::DW_TAG_subroutine_type:
        return "function" + behind;
      default:
        return before + "(nameless type)" + behind;
    }
    at = type_of(at);
  }
  return {};
}

std::optional<uint64_t> size_of(const llvm::DWARFDie& type) {
  uint64_t times = 1;
  llvm::DWARFDie at = plain_type(type);
  for (int step = 0; at && step < longest_chain; ++step) {
    if (auto size = dwarf::toUnsigned(at.find(dwarf::DW_AT_byte_size))) return *size * times;
    if (is_pointer(at) || is_reference(at)) return sizeof(uint64_t) * times;
    if (at.getTag() != dwarf::DW_TAG_array_type) return {};
    auto count = element_count(at);
    if (!count) return {};
    times *= *count;
    at = plain_type(type_of(at));
  }
  return {};
}

bool is_pointer(const llvm::DWARFDie& plain) { return plain && plain.getTag() == dwarf::DW_TAG_pointer_type; }

bool is_reference(const llvm::DWARFDie& plain) {
  return plain &&
         (plain.getTag() == dwarf::DW_TAG_reference_type || plain.getTag() == dwarf::DW_TAG_rvalue_reference_type);
}

bool is_compound(const llvm::DWARFDie& plain) {
  return plain && (plain.getTag() == dwarf::DW_TAG_structure_type || plain.getTag() == dwarf::DW_TAG_class_type ||
                   plain.getTag() == dwarf::DW_TAG_union_type);
}

PartOfObject part_at(const llvm::DWARFDie& type, uint64_t offset, std::string text, std::string_view member) {
  PartOfObject part{.text = std::move(text), .type = plain_type(type)};
  for (int step = 0; step < longest_chain && part.text.size() < longest_name; ++step) {
    if (part.type && part.type.getTag() == dwarf::DW_TAG_array_type) {
      llvm::DWARFDie element = plain_type(type_of(part.type));
      auto count = element_count(part.type);
      auto size = size_of(element);
      if (!count || !size || *size == 0) break;
      part.text += "[" + std::to_string(offset / *size) + "]";
      part.type = element;
      offset %= *size;
      member = ".";
      continue;
    }
    uint64_t start = 0;
    llvm::DWARFDie found = is_compound(part.type) ? member_at(part.type, offset, start) : llvm::DWARFDie();
    if (!found) break;
    const char* name = found.getTag() == dwarf::DW_TAG_member ? found.getShortName() : nullptr;
    part.type = plain_type(type_of(found));
    offset -= start;
    // Bases, and structs without a name in a struct, need no word.
    if (name == nullptr) continue;
    part.is_virtual_table = std::string_view(name).starts_with("_vptr");
    if (part.is_virtual_table) break;
    part.text += std::string(member) + name;
    member = ".";
  }
  return part;
}

}  // namespace culprit
