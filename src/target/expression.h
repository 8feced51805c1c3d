// Expressions over the registers of a thread and the memory of its process, ready to be evaluated many times: the
// condition of a breakpoint, too. shell/expression.h makes them from what people type.
#pragma once

#include <cstdint>
#include <vector>

#include "target/target.h"

namespace culprit {

// A step works on a stack of 64-bit values. Binary steps take two and leave one; comparisons are unsigned and leave 0
// or 1.
enum class ExpressionOp : uint8_t {
  constant,        // pushes `value`
  register_value,  // pushes the part of a register that `value` says: see register_part()
  thread_id,
  process_id,
  read,  // takes an address, leaves the `value` bytes there (1, 2, 4 or 8)
  negate,
  invert,   // ~
  is_zero,  // !
  low_16,
  high_16,  // of the low 32
  multiply,
  divide,
  remainder,
  add,
  subtract,
  shift_left,
  shift_right,
  shift_right_signed,
  less,
  less_or_equal,
  greater,
  greater_or_equal,
  equal,
  not_equal,
  bit_and,
  bit_xor,
  bit_or,
  truth,          // 0 or 1
  skip_if_false,  // && : a zero on top stays, and `value` steps are left out; else it is taken
  skip_if_true,   // ||
};

struct ExpressionStep {
  ExpressionOp op = ExpressionOp::constant;
  uint64_t value = 0;

  bool operator==(const ExpressionStep&) const = default;
};
using Expression = std::vector<ExpressionStep>;

// The bits [first, first + count) of the register that is the `index`th member of Registers.
constexpr uint64_t register_part(unsigned index, unsigned first, unsigned count) {
  return index | first << 8 | count << 16;
}

struct ExpressionContext {
  const Registers* registers = nullptr;  // null: not known
  MemoryReader* memory = nullptr;        // null: there is none
  uint32_t pid = 0, tid = 0;
};

// not_found: memory that cannot be read, registers that are not known. usage: division by zero, or steps that do not
// fit together. `where` is the address.
Result<uint64_t> evaluate(const Expression& expression, const ExpressionContext& context);

}  // namespace culprit
