#include "target/expression.h"

#include <fmt/format.h>

#include <bit>

namespace culprit {
namespace {

constexpr size_t register_count = sizeof(Registers) / sizeof(uint64_t);

Result<uint64_t> binary(ExpressionOp op, uint64_t left, uint64_t right) {
  switch (op) {
    case ExpressionOp::multiply:
      return left * right;
    case ExpressionOp::divide:
    case ExpressionOp::remainder:
      if (right == 0) return fail(ErrorKind::usage, "division by zero");
      return op == ExpressionOp::divide ? left / right : left % right;
    case ExpressionOp::add:
      return left + right;
    case ExpressionOp::subtract:
      return left - right;
    case ExpressionOp::shift_left:
      return right < 64 ? left << right : 0;
    case ExpressionOp::shift_right:
      return right < 64 ? left >> right : 0;
    case ExpressionOp::shift_right_signed:
      return static_cast<uint64_t>(static_cast<int64_t>(left) >> (right < 64 ? right : 63));
    case ExpressionOp::less:
      return left < right;
    case ExpressionOp::less_or_equal:
      return left <= right;
    case ExpressionOp::greater:
      return left > right;
    case ExpressionOp::greater_or_equal:
      return left >= right;
    case ExpressionOp::equal:
      return left == right;
    case ExpressionOp::not_equal:
      return left != right;
    case ExpressionOp::bit_and:
      return left & right;
    case ExpressionOp::bit_xor:
      return left ^ right;
    case ExpressionOp::bit_or:
      return left | right;
    default:
      return fail(ErrorKind::usage, "an expression with a step that does not exist");
  }
}

Result<uint64_t> read_memory(MemoryReader* memory, uint64_t address, uint64_t size) {
  uint64_t value = 0;
  if (size > sizeof(value)) return fail(ErrorKind::usage, "an expression that reads more than a word");
  if (memory == nullptr || !memory->read(address, std::as_writable_bytes(std::span(&value, 1)).first(size)))
    return fail(ErrorKind::not_found, fmt::format("there is no memory at {:#x} that can be read", address));
  return value;
}

Result<uint64_t> read_register(const Registers* registers, uint64_t part) {
  uint64_t index = part & 0xff, first = part >> 8 & 0xff, count = part >> 16;
  if (index >= register_count || first >= 64 || count == 0 || count > 64)
    return fail(ErrorKind::usage, "an expression with a register that does not exist");
  if (registers == nullptr) return fail(ErrorKind::not_found, "the registers are not known");
  uint64_t value = std::bit_cast<std::array<uint64_t, register_count>>(*registers)[index] >> first;
  return count == 64 ? value : value & ((uint64_t{1} << count) - 1);
}

uint64_t unary(ExpressionOp op, uint64_t value) {
  switch (op) {
    case ExpressionOp::negate:
      return 0 - value;
    case ExpressionOp::invert:
      return ~value;
    case ExpressionOp::is_zero:
      return value == 0;
    case ExpressionOp::low_16:
      return value & 0xffff;
    case ExpressionOp::high_16:
      return value >> 16 & 0xffff;
    default:
      return value != 0;  // truth
  }
}

}  // namespace

Result<uint64_t> evaluate(const Expression& expression, const ExpressionContext& context) {
  std::vector<uint64_t> stack;
  auto does_not_fit = [] { return fail(ErrorKind::usage, "an expression whose steps do not fit together"); };
  for (size_t at = 0; at < expression.size(); ++at) {
    auto [op, value] = expression[at];
    Result<uint64_t> result = uint64_t{0};
    if (op == ExpressionOp::constant) {
      result = value;
    } else if (op == ExpressionOp::register_value) {
      result = read_register(context.registers, value);
    } else if (op == ExpressionOp::thread_id || op == ExpressionOp::process_id) {
      result = op == ExpressionOp::thread_id ? context.tid : context.pid;
    } else if (stack.empty()) {
      return does_not_fit();
    } else {
      uint64_t top = stack.back();
      stack.pop_back();
      if (op == ExpressionOp::skip_if_false || op == ExpressionOp::skip_if_true) {
        if ((top != 0) != (op == ExpressionOp::skip_if_true)) continue;
        if (value > expression.size() - at - 1) return does_not_fit();
        at += value;
        result = top;
      } else if (op == ExpressionOp::read) {
        result = read_memory(context.memory, top, value);
      } else if ((op > ExpressionOp::read && op < ExpressionOp::multiply) || op == ExpressionOp::truth) {
        result = unary(op, top);
      } else {
        if (stack.empty()) return does_not_fit();
        result = binary(op, stack.back(), top);
        stack.pop_back();
      }
    }
    if (!result) return result;
    stack.push_back(*result);
  }
  if (stack.size() != 1) return does_not_fit();
  return stack.back();
}

}  // namespace culprit
