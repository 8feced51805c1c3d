// Whether an instruction reads or writes its operand in memory, where the disassembler cannot be believed: of many
// vector and floating-point stores capstone 4 says that they read (seen by trying each on a null pointer).
#pragma once

#include <string_view>

#include "arch/instructions.h"

namespace culprit {

// `name`: of the instruction, without prefixes. `is_first`: in Intel's order, where results come first. What is not
// known is left as neither.
void correct_access(std::string_view name, bool is_first, MemoryOperand& memory);

}  // namespace culprit
