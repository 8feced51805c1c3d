#include "symbols/dwarf_objects.h"

#include <llvm/DebugInfo/DWARF/DWARFExpression.h>
#include <llvm/DebugInfo/DWARF/DWARFUnit.h>

#include "symbols/dwarf_names.h"
#include "symbols/dwarf_types.h"

namespace culprit {
namespace {

namespace dwarf = llvm::dwarf;

constexpr size_t most_entries = 200'000;  // looked at for one question
constexpr int deepest_scope = 32;

// By DWARF's numbers (x86-64 psABI, figure 3.36) those of machine code.
constexpr uint8_t machine_numbers[16] = {0, 2, 1, 3, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15};
constexpr uint64_t dwarf_rbp = 6, dwarf_rsp = 7;

// Where a variable is: its value in a register (plus `addend`), or itself in memory.
struct Location {
  std::optional<uint8_t> reg;  // by its number in machine code
  int64_t addend = 0;
  std::optional<uint64_t> address;  // absolute
};

class Locations {
 public:
  explicit Locations(const ObjectQuestion& question) : question_(question) {}

  std::optional<Location> of(const llvm::DWARFDie& variable, const llvm::DWARFDie& function) const {
    return evaluated(variable, dwarf::DW_AT_location, function);
  }

 private:
  std::optional<Location> evaluated(const llvm::DWARFDie& die, dwarf::Attribute attribute,
                                    const llvm::DWARFDie& function) const {
    if (!die.find(attribute)) return {};
    auto all = die.getLocations(attribute);
    if (!all) {
      llvm::consumeError(all.takeError());
      return {};
    }
    for (const llvm::DWARFLocationExpression& each : *all) {
      bool covers = !each.Range || (each.Range->LowPC <= question_.pc && question_.pc < each.Range->HighPC);
      if (covers) return evaluated(each, *die.getDwarfUnit(), function);
    }
    return {};
  }

  // Of the forms that prove something: one operation, or a register's value plus a number.
  std::optional<Location> evaluated(const llvm::DWARFLocationExpression& location, llvm::DWARFUnit& unit,
                                    const llvm::DWARFDie& function) const {
    if (location.Expr.empty()) return {};
    llvm::StringRef bytes(reinterpret_cast<const char*>(location.Expr.data()), location.Expr.size());
    llvm::DWARFExpression expression(llvm::DataExtractor(bytes, true, 8), 8, unit.getFormParams().Format);
    auto at = expression.begin();
    if ((*at).isError()) return {};
    uint8_t code = (*at).getCode();
    uint64_t operand = (*at).getRawOperand(0);
    bool is_last = (*at).getEndOffset() == bytes.size();
    bool is_value = !is_last && static_cast<uint8_t>(bytes[(*at).getEndOffset()]) == dwarf::DW_OP_stack_value &&
                    (*at).getEndOffset() + 1 == bytes.size();
    if (!is_last && !is_value) return {};
    if (code >= dwarf::DW_OP_reg0 && code < dwarf::DW_OP_reg0 + 16 && is_last)
      return Location{.reg = machine_numbers[code - dwarf::DW_OP_reg0], .addend = 0, .address = {}};
    if (code >= dwarf::DW_OP_breg0 && code < dwarf::DW_OP_breg0 + 16)
      return relative_to(code - dwarf::DW_OP_breg0, static_cast<int64_t>(operand), is_value);
    if (is_value) return {};
    if (code == dwarf::DW_OP_addr) return in_memory(operand + question_.bias);
    if (code == dwarf::DW_OP_call_frame_cfa && question_.frame != 0) return in_memory(question_.frame);
    if (code != dwarf::DW_OP_fbreg || !function) return {};
    auto base = evaluated(function, dwarf::DW_AT_frame_base, {});
    if (!base) return {};
    auto start = base->address ? base->address : value_of(base->reg);
    return start ? in_memory(*start + operand) : std::nullopt;
  }

  std::optional<Location> relative_to(uint64_t reg, int64_t offset, bool is_value) const {
    if (is_value) return Location{.reg = machine_numbers[reg], .addend = offset, .address = {}};
    auto start = value_of(machine_numbers[reg]);
    return start ? in_memory(*start + static_cast<uint64_t>(offset)) : std::nullopt;
  }

  std::optional<uint64_t> value_of(std::optional<uint8_t> reg) const {
    if (reg == machine_numbers[dwarf_rbp]) return question_.rbp;
    if (reg == machine_numbers[dwarf_rsp]) return question_.rsp;
    return {};
  }

  static std::optional<Location> in_memory(uint64_t address) {
    return Location{.reg = {}, .addend = 0, .address = address};
  }

  const ObjectQuestion& question_;
};

class ObjectSearch {
 public:
  explicit ObjectSearch(const ObjectQuestion& question) : question_(question), locations_(question) {}

  std::optional<NamedObject> in_functions(std::span<const llvm::DWARFDie> functions) {
    if (functions.empty()) return {};
    for (const llvm::DWARFDie& function : functions)
      if (function.addressRangeContainsAddress(question_.seen_from))
        if (auto found = in_scope(function, functions.back(), 0)) return found;
    return {};
  }

  // Global variables: of the unit, and of its namespaces.
  std::optional<NamedObject> in_unit(const llvm::DWARFDie& unit) { return in_namespace(unit, 0); }

 private:
  std::optional<NamedObject> in_scope(const llvm::DWARFDie& scope, const llvm::DWARFDie& function, int depth) {
    if (depth > deepest_scope) return {};
    for (const llvm::DWARFDie& child : scope.children()) {
      if (++looked_at_ > most_entries) return {};
      if (child.getTag() != dwarf::DW_TAG_lexical_block || !child.addressRangeContainsAddress(question_.pc)) continue;
      if (auto found = in_scope(child, function, depth + 1)) return found;
    }
    for (const llvm::DWARFDie& child : scope.children()) {
      if (++looked_at_ > most_entries) return {};
      if (child.getTag() != dwarf::DW_TAG_variable && child.getTag() != dwarf::DW_TAG_formal_parameter) continue;
      const char* name = child.getShortName();
      if (name == nullptr) continue;
      if (auto found = by_variable(child, function, name)) return found;
    }
    return {};
  }

  std::optional<NamedObject> in_namespace(const llvm::DWARFDie& scope, int depth) {
    if (depth > deepest_scope || question_.reg != ObjectQuestion::no_register) return {};
    for (const llvm::DWARFDie& child : scope.children()) {
      if (++looked_at_ > most_entries) return {};
      if (child.getTag() == dwarf::DW_TAG_namespace)
        if (auto found = in_namespace(child, depth + 1)) return found;
      const char* name = child.getTag() == dwarf::DW_TAG_variable ? child.getShortName() : nullptr;
      if (name == nullptr || !child.find(dwarf::DW_AT_location)) continue;
      if (auto found = by_variable(child, {}, scope_of(child) + name)) return found;
    }
    return {};
  }

  // If it is the one that the question begins at.
  std::optional<NamedObject> by_variable(const llvm::DWARFDie& variable, const llvm::DWARFDie& function,
                                         const std::string& name) const {
    auto location = locations_.of(variable, function);
    if (!location) return {};
    PartOfObject begin{.text = name, .type = plain_type(type_of(variable))};
    int64_t addend = 0;
    if (question_.reg != ObjectQuestion::no_register) {
      if (location->reg != question_.reg) return {};
      addend = location->addend;
    } else {
      auto size = size_of(begin.type);
      if (!location->address || !size || question_.slot - *location->address >= *size) return {};
      begin = part_at(begin.type, question_.slot - *location->address, name, ".");
    }
    auto named = follow(begin, addend);
    if (named) named->anchor = name;
    return named;
  }

  // `addend`: what the first pointer is behind the register's value.
  std::optional<NamedObject> follow(PartOfObject at, int64_t addend) const {
    NamedObject named{.object = at.text};
    if (question_.steps == 0) return addend == 0 ? std::optional(named) : std::nullopt;
    for (size_t step = 0; step < question_.steps; ++step) {
      if (!is_pointer(at.type) && !is_reference(at.type)) return {};
      bool is_last = step + 1 == question_.steps;
      named.pointer = at.text;
      named.pointer_type = type_name(at.type);
      int64_t offset = question_.offsets[step] - (step == 0 ? addend : 0);
      auto part = dereferenced(at, offset, is_last && question_.is_indexed);
      named.object = part ? part->text : "";
      named.is_virtual_table = part && part->is_virtual_table;
      if (is_last) return named;
      if (!part) return {};
      if (part->is_virtual_table)
        return step + 2 == question_.steps ? std::optional(by_virtual_table(named)) : std::nullopt;
      at = std::move(*part);
    }
    return {};
  }

  // What was used as a pointer is the hidden one.
  static NamedObject by_virtual_table(NamedObject named) {
    named.pointer.clear();
    named.pointer_type.clear();
    return named;
  }

  // A class with a negative offset, or one beyond its end, was one that is derived from it: nothing is known of that.
  static std::optional<PartOfObject> dereferenced(const PartOfObject& pointer, int64_t offset, bool is_array) {
    llvm::DWARFDie type = plain_type(type_of(pointer.type));
    auto size = size_of(type);
    if (!size || *size == 0 || *size > INT32_MAX) return {};
    auto width = static_cast<int64_t>(*size);
    int64_t index = offset / width - (offset % width < 0 ? 1 : 0);
    auto rest = static_cast<uint64_t>(offset - index * width);
    if (is_reference(pointer.type)) {
      if (index != 0) return {};
      return part_at(type, rest, pointer.text, ".");
    }
    bool is_plain = !is_compound(type);
    if (index == 0 && !is_array) {
      PartOfObject part = part_at(type, rest, "", "->");
      part.text = part.text.starts_with("->") ? pointer.text + part.text
                  : part.text.empty()         ? "*" + pointer.text
                                              : "(*" + pointer.text + ")" + part.text;
      // All that is known of a class is that it is one: its member has no single name.
      bool is_told = is_plain || part.is_virtual_table || part.text.front() != '*';
      return is_told ? std::optional(part) : std::nullopt;
    }
    if (!is_plain && !is_array) return {};
    return part_at(type, rest, pointer.text + "[" + std::to_string(index) + "]", ".");
  }

  const ObjectQuestion& question_;
  Locations locations_;
  size_t looked_at_ = 0;
};

}  // namespace

std::optional<NamedObject> name_object(const llvm::DWARFDie& unit, std::span<const llvm::DWARFDie> functions,
                                       const ObjectQuestion& question) {
  ObjectSearch search(question);
  if (auto found = search.in_functions(functions)) return found;
  return search.in_unit(unit);
}

}  // namespace culprit
