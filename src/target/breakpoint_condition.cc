#include "target/breakpoint_condition.h"

#include <array>
#include <cstring>
#include <string_view>

namespace culprit {
namespace {

using Value = std::optional<uint64_t>;

constexpr uint64_t whole = ~uint64_t{0};

// The 64-bit registers in the order of Registers, with the names of their lower parts.
struct RegisterNames {
  std::string_view names[4];  // 64, 32, 16, 8 bits; empty: there is none
};
constexpr RegisterNames register_names[] = {{{"r15", "r15d", "r15w", "r15b"}},
                                            {{"r14", "r14d", "r14w", "r14b"}},
                                            {{"r13", "r13d", "r13w", "r13b"}},
                                            {{"r12", "r12d", "r12w", "r12b"}},
                                            {{"rbp", "ebp", "bp", "bpl"}},
                                            {{"rbx", "ebx", "bx", "bl"}},
                                            {{"r11", "r11d", "r11w", "r11b"}},
                                            {{"r10", "r10d", "r10w", "r10b"}},
                                            {{"r9", "r9d", "r9w", "r9b"}},
                                            {{"r8", "r8d", "r8w", "r8b"}},
                                            {{"rax", "eax", "ax", "al"}},
                                            {{"rcx", "ecx", "cx", "cl"}},
                                            {{"rdx", "edx", "dx", "dl"}},
                                            {{"rsi", "esi", "si", "sil"}},
                                            {{"rdi", "edi", "di", "dil"}},
                                            {{"orig_rax", "", "", ""}},
                                            {{"rip", "eip", "ip", ""}},
                                            {{"cs", "", "", ""}},
                                            {{"eflags", "efl", "", ""}},
                                            {{"rsp", "esp", "sp", "spl"}},
                                            {{"ss", "", "", ""}},
                                            {{"fs_base", "", "", ""}},
                                            {{"gs_base", "", "", ""}},
                                            {{"ds", "", "", ""}},
                                            {{"es", "", "", ""}},
                                            {{"fs", "", "", ""}},
                                            {{"gs", "", "", ""}}};
constexpr uint64_t part_masks[] = {whole, 0xffffffff, 0xffff, 0xff};
constexpr size_t register_count = sizeof(Registers) / sizeof(uint64_t);
static_assert(std::size(register_names) == register_count);

struct HighByte {
  std::string_view name;
  std::string_view of;
};
constexpr HighByte high_bytes[] = {{"ah", "rax"}, {"bh", "rbx"}, {"ch", "rcx"}, {"dh", "rdx"}};

class Machine {
 public:
  Machine(const Registers& registers, MemoryReader& memory) : memory_(memory) {
    memcpy(words_.data(), &registers, sizeof registers);
  }

  // False: the program makes no sense.
  bool work_off(const ConditionOp& op) {
    switch (op.step) {
      case ConditionStep::constant:
        return push(op.value);
      case ConditionStep::reg:
        return op.reg < register_count && push(words_[op.reg] >> (op.shift & 63) & op.value);
      case ConditionStep::memory:
      case ConditionStep::negate:
      case ConditionStep::complement:
      case ConditionStep::logical_not:
      case ConditionStep::sign_extend:
        return unary(op);
      default:
        return binary(op.step);
    }
  }

  Value result() const { return depth_ == 1 ? stack_[0] : Value(); }

 private:
  bool push(Value value) {
    if (depth_ == stack_.size()) return false;
    stack_[depth_++] = value;
    return true;
  }

  Value read(uint64_t address, uint64_t bytes) {
    uint64_t value = 0;
    if (bytes == 0 || bytes > sizeof value) return {};
    bool is_there = memory_.read(address, std::as_writable_bytes(std::span(&value, 1)).first(bytes));
    return is_there ? Value(value) : Value();
  }

  bool unary(const ConditionOp& op) {
    if (depth_ == 0) return false;
    Value& top = stack_[depth_ - 1];
    if (!top) return true;
    switch (op.step) {
      case ConditionStep::memory:
        top = read(*top, op.value);
        break;
      case ConditionStep::negate:
        top = 0 - *top;
        break;
      case ConditionStep::complement:
        top = ~*top;
        break;
      case ConditionStep::logical_not:
        top = *top == 0 ? 1 : 0;
        break;
      default: {
        if (op.value == 0 || op.value > 8) return false;
        auto shift = static_cast<unsigned>(64 - 8 * op.value);
        top = static_cast<uint64_t>(static_cast<int64_t>(*top << shift) >> shift);
      }
    }
    return true;
  }

  static Value combined(ConditionStep step, uint64_t left, uint64_t right) {
    switch (step) {
      case ConditionStep::add:
        return left + right;
      case ConditionStep::subtract:
        return left - right;
      case ConditionStep::multiply:
        return left * right;
      case ConditionStep::divide:
        return right == 0 ? Value() : Value(left / right);
      case ConditionStep::modulo:
        return right == 0 ? Value() : Value(left % right);
      case ConditionStep::bit_and:
        return left & right;
      case ConditionStep::bit_or:
        return left | right;
      case ConditionStep::bit_xor:
        return left ^ right;
      case ConditionStep::shift_left:
        return right > 63 ? 0 : left << right;
      case ConditionStep::shift_right:
        return right > 63 ? 0 : left >> right;
      case ConditionStep::equal:
        return left == right ? 1 : 0;
      case ConditionStep::not_equal:
        return left != right ? 1 : 0;
      case ConditionStep::less:
        return left < right ? 1 : 0;
      case ConditionStep::less_or_equal:
        return left <= right ? 1 : 0;
      case ConditionStep::greater:
        return left > right ? 1 : 0;
      case ConditionStep::greater_or_equal:
        return left >= right ? 1 : 0;
      default:
        return {};
    }
  }

  bool binary(ConditionStep step) {
    if (depth_ < 2) return false;
    Value right = stack_[--depth_];
    Value& left = stack_[depth_ - 1];
    if (step == ConditionStep::logical_and) {
      bool is_false = (left && *left == 0) || (right && *right == 0);
      left = is_false ? Value(0) : left && right ? Value(1) : Value();
    } else if (step == ConditionStep::logical_or) {
      bool is_true = (left && *left != 0) || (right && *right != 0);
      left = is_true ? Value(1) : left && right ? Value(0) : Value();
    } else {
      left = left && right ? combined(step, *left, *right) : Value();
    }
    return true;
  }

  std::array<uint64_t, register_count> words_;
  MemoryReader& memory_;
  std::array<Value, 64> stack_;
  size_t depth_ = 0;
};

}  // namespace

std::optional<ConditionOp> register_step(std::string_view name) {
  if (name.empty()) return {};
  for (const HighByte& byte : high_bytes) {
    if (byte.name != name) continue;
    auto step = register_step(byte.of);
    step->shift = 8, step->value = 0xff;
    return step;
  }
  for (size_t index = 0; index < register_count; index++) {
    for (size_t part = 0; part < std::size(part_masks); part++) {
      if (register_names[index].names[part] == name)
        return ConditionOp{ConditionStep::reg, static_cast<uint8_t>(index), 0, part_masks[part]};
    }
  }
  return {};
}

std::optional<uint64_t> evaluate(const Condition& condition, const Registers& registers, MemoryReader& memory) {
  if (condition.size() > most_condition_ops) return {};
  Machine machine(registers, memory);
  for (const ConditionOp& op : condition) {
    if (!machine.work_off(op)) return {};
  }
  return machine.result();
}

}  // namespace culprit
