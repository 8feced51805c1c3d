// The machine code of one function of a target, and where its registers got their values.
#pragma once

#include <optional>
#include <vector>

#include "analysis/target_names.h"
#include "arch/instructions.h"

namespace culprit {

// `instructions` refer to `bytes`, so it can be moved and not copied.
struct FunctionCode {
  uint64_t start = 0;
  std::vector<std::byte> bytes;
  std::vector<Instruction> instructions;
  size_t at = 0;  // the instruction that was asked for

  FunctionCode() = default;
  FunctionCode(FunctionCode&&) = default;
  FunctionCode& operator=(FunctionCode&&) = default;

  Bytes bytes_of(const Instruction& instruction) const {
    return Bytes(bytes).subspan(instruction.address - start, instruction.bytes.size());
  }
};

// The function that holds the instruction at this address. Nothing: no symbol tells where it begins, its code cannot be
// read, or its instructions do not lead there.
std::optional<FunctionCode> read_function(Target& target, TargetNames& names, Disassembler& disassembler,
                                          uint64_t address);

bool is_call(const Instruction& instruction);
bool is_changed_by_calls(uint8_t reg);

// Whether a jump may come between these addresses, so that what stands before has not been executed. A jump through a
// register (a switch) may come anywhere.
bool is_jumped_into(const FunctionCode& function, uint64_t behind, uint64_t up_to);

// The last instruction before instructions[before] that changed the register, where all between has been executed.
struct LastWrite {
  std::optional<size_t> instruction;  // nothing, with is_known: none has, so it is as it was when the function began
  bool is_known = true;               // false: a jump may have come in between
};
LastWrite last_write(const FunctionCode& function, size_t before, uint8_t reg);

}  // namespace culprit
