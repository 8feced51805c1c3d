#include "analysis/function_code.h"

#include <algorithm>

namespace culprit {
namespace {

constexpr size_t longest_function = 256 * 1024, longest_instruction = 15;
// rax, rcx, rdx, rsi, rdi, r8 to r11: a call may change them.
constexpr uint16_t changed_by_calls = 0b0000'1111'1100'0111;

struct Opcode {
  uint8_t code = 0, extension = 0;  // the middle field of the byte behind
};

// Of instructions with one-byte opcodes, behind the prefixes that jumps and calls may have.
Opcode opcode_of(const Instruction& instruction) {
  Bytes bytes = instruction.bytes;
  auto is_prefix = [](std::byte each) {
    constexpr uint8_t bnd = 0xf2, notrack = 0x3e;
    auto value = static_cast<uint8_t>(each);
    return value == bnd || value == notrack || (value & 0xf0) == 0x40;
  };
  while (bytes.size() > 1 && is_prefix(bytes.front())) bytes = bytes.subspan(1);
  auto extension = bytes.size() > 1 ? static_cast<uint8_t>(static_cast<uint8_t>(bytes[1]) >> 3 & 7) : uint8_t{0};
  return {static_cast<uint8_t>(bytes.front()), extension};
}

bool jumps_anywhere(const Instruction& instruction) {
  Opcode opcode = opcode_of(instruction);
  return opcode.code == 0xff && (opcode.extension == 4 || opcode.extension == 5);
}

// What stands behind it is reached from elsewhere alone.
bool ends_straight_code(const Instruction& instruction) {
  constexpr uint8_t jump = 0xe9, short_jump = 0xeb, back = 0xc3;
  uint8_t code = opcode_of(instruction).code;
  return code == jump || code == short_jump || code == back || jumps_anywhere(instruction);
}

}  // namespace

bool is_call(const Instruction& instruction) {
  Opcode opcode = opcode_of(instruction);
  return opcode.code == 0xe8 || (opcode.code == 0xff && opcode.extension == 2);
}

bool is_changed_by_calls(uint8_t reg) { return reg >= 16 || (changed_by_calls >> reg & 1) != 0; }

std::optional<FunctionCode> read_function(Target& target, TargetNames& names, Disassembler& disassembler,
                                          uint64_t address) {
  TargetNames::Place place = names.place_of(address);
  if (!place.symbol || place.symbol->kind != SymbolKind::function || place.offset > longest_function) return {};
  FunctionCode function;
  function.start = address - place.offset;
  uint64_t size = std::max(place.symbol->size, place.offset + longest_instruction);
  function.bytes.resize(std::min<uint64_t>(size, longest_function + longest_instruction));
  if (!target.memory().read(function.start, function.bytes)) return {};
  disassembler.decode(function.bytes, function.start, function.instructions);
  auto at = std::ranges::lower_bound(function.instructions, address, {}, &Instruction::address);
  if (at == function.instructions.end() || at->address != address) return {};
  function.at = static_cast<size_t>(at - function.instructions.begin());
  return function;
}

bool is_jumped_into(const FunctionCode& function, uint64_t behind, uint64_t up_to) {
  return std::ranges::any_of(function.instructions, [&](const Instruction& instruction) {
    bool is_between = instruction.address > behind && instruction.address < up_to;
    if (jumps_anywhere(instruction) || (is_between && ends_straight_code(instruction))) return true;
    return instruction.target && *instruction.target > behind && *instruction.target <= up_to;
  });
}

LastWrite last_write(const FunctionCode& function, size_t before, uint8_t reg) {
  uint64_t end = function.instructions[before].address;
  for (size_t at = before; at-- > 0;) {
    const Instruction& each = function.instructions[at];
    bool is_written = is_call(each) ? is_changed_by_calls(reg) : each.writes(reg);
    if (!is_written) continue;
    bool is_known = !is_jumped_into(function, each.address, end);
    return {.instruction = is_known ? std::optional(at) : std::nullopt, .is_known = is_known};
  }
  return {.instruction = {}, .is_known = !is_jumped_into(function, function.start - 1, end)};
}

}  // namespace culprit
