// When a breakpoint stops: an expression of registers, constants and memory, put down as a program for a stack machine,
// which whoever traces the thread works off by itself at each hit.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "target/target.h"

namespace culprit {

enum class ConditionStep : uint8_t {
  constant,     // puts `value` on the stack
  reg,          // puts the register with that index in Registers on the stack, of which `value` holds mask and shift:
                // see register_part()
  memory,       // takes an address, puts the `value` bytes there (1, 2, 4 or 8)
  negate,       // these take one value: -x
  complement,   // ~x
  logical_not,  // !x
  sign_extend,  // of the lowest `value` bytes
  add,          // and these two, the upper one right of the sign; unsigned, as WinDbg reckons
  subtract,
  multiply,
  divide,  // by 0: not known
  modulo,
  bit_and,
  bit_or,
  bit_xor,
  shift_left,
  shift_right,
  equal,
  not_equal,
  less,
  less_or_equal,
  greater,
  greater_or_equal,
  logical_and,
  logical_or,
};

struct ConditionOp {
  ConditionStep step = ConditionStep::constant;
  uint8_t reg = 0;     // index into Registers, as an array of 64-bit words
  uint8_t shift = 0;   // of a register's part: ah is rax >> 8 & 0xff
  uint64_t value = 0;  // a constant, a count of bytes, or the mask of a register's part

  bool operator==(const ConditionOp&) const = default;
};

using Condition = std::vector<ConditionOp>;

// A bound on what is worked off at a hit.
inline constexpr size_t most_condition_ops = 256;

// The register of that name ("rdi", "edi", "r8d", "al", "ip", "efl" …) as a step. Nothing: there is none.
std::optional<ConditionOp> register_step(std::string_view name);

// Nothing: it cannot be told (memory that is not there, a division by zero), where that matters: what is 0 and anything
// is 0. Also a program that makes no sense has no value.
std::optional<uint64_t> evaluate(const Condition& condition, const Registers& registers, MemoryReader& memory);

}  // namespace culprit
