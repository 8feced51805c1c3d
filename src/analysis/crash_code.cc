#include "analysis/crash_code.h"

#include <fmt/format.h>

#include <algorithm>

#include "analysis/function_code.h"

namespace culprit {
namespace {

constexpr size_t shown_before = 3, shown_behind = 2, longest_instruction = 15;
// rdi, rsi, rdx, rcx, r8, r9: System V ABI, 3.2.3.
constexpr uint8_t argument_registers[] = {7, 6, 2, 1, 8, 9};

class OriginSearch {
 public:
  OriginSearch(CrashScene& scene, Disassembler& disassembler, const FunctionCode& function)
      : scene_(scene), disassembler_(disassembler), function_(function) {}

  std::string of(uint8_t reg) {
    std::string name(register_name(reg));
    for (size_t at = function_.at;;) {
      LastWrite write = last_write(function_, at, reg);
      if (!write.is_known) return {};
      if (!write.instruction) return argument_words(name, reg);
      at = *write.instruction;
      const Instruction& each = function_.instructions[at];
      if (is_call(each)) return reg == machine_rax ? name + call_words(each) : "";
      if (!each.source) return name + fmt::format(" comes from {}", text_of(each));
      reg = *each.source;
    }
  }

 private:
  std::string text_of(const Instruction& instruction) {
    std::vector<InstructionText> texts = disassembler_.as_text(
        Bytes(function_.bytes).subspan(instruction.address - function_.start), instruction.address, 1);
    if (texts.empty()) return "an instruction";
    return fmt::format("{} {} at {:#x}", texts.front().operation, texts.front().operands, instruction.address);
  }

  std::string call_words(const Instruction& call) {
    std::vector<InstructionText> texts =
        disassembler_.as_text(Bytes(function_.bytes).subspan(call.address - function_.start), call.address, 1);
    std::string callee = texts.empty() || !texts.front().target ? "" : scene_.names.words(*texts.front().target);
    return callee.empty() ? fmt::format(" is what the call at {:#x} returned", call.address)
                          : fmt::format(" is what {} returned", callee);
  }

  static std::string argument_words(const std::string& name, uint8_t reg) {
    const uint8_t* argument = std::ranges::find(argument_registers, reg);
    if (argument == std::end(argument_registers)) return {};
    return fmt::format("{} is what the caller passed as argument {}", name, argument - argument_registers + 1);
  }

  CrashScene& scene_;
  Disassembler& disassembler_;
  const FunctionCode& function_;
};

void take_lines(CrashCode& code, Disassembler& disassembler, Bytes bytes, uint64_t start, size_t before) {
  code.instructions = disassembler.as_text(bytes, start, before + 1 + shown_behind);
  code.failed = std::min(before, code.instructions.empty() ? 0 : code.instructions.size() - 1);
  size_t size = 0;
  for (const InstructionText& text : code.instructions) size += text.size;
  code.bytes.assign(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(std::min(size, bytes.size())));
}

// Longest first: memory may end behind the instruction.
std::vector<std::byte> bytes_from(MemoryReader& memory, uint64_t address) {
  std::vector<std::byte> bytes((1 + shown_behind) * longest_instruction);
  while (!bytes.empty() && !memory.read(address, bytes)) bytes.pop_back();
  return bytes;
}

CrashCode read_code(CrashScene& scene) {
  CrashCode code;
  auto disassembler = Disassembler::make();
  if (!scene.instruction || !disassembler) return code;
  uint64_t rip = scene.registers().rip;
  auto function = read_function(scene.target, scene.names, *disassembler, rip);
  std::vector<std::byte> behind = bytes_from(scene.target.memory(), rip);
  if (!function) {
    take_lines(code, *disassembler, behind, rip, 0);
    return code;
  }
  size_t before = std::min(shown_before, function->at);
  uint64_t start = function->instructions[function->at - before].address;
  std::vector<std::byte> shown(function->bytes.begin() + static_cast<ptrdiff_t>(start - function->start),
                               function->bytes.begin() + static_cast<ptrdiff_t>(rip - function->start));
  shown.insert(shown.end(), behind.begin(), behind.end());
  take_lines(code, *disassembler, shown, start, before);
  const MemoryOperand* operand = scene.failed_operand();
  std::optional<uint8_t> reg = operand != nullptr && !operand->index ? operand->base : std::nullopt;
  if (operand == nullptr)
    reg = scene.instruction->is_division ? scene.instruction->divisor : scene.instruction->flow_register;
  if (reg && *reg != machine_rsp) code.origin = OriginSearch(scene, *disassembler, *function).of(*reg);
  return code;
}

}  // namespace

CrashCode read_crash_code(CrashScene& scene) {
  CrashCode code = read_code(scene);
  for (const InstructionText& text : code.instructions)
    code.targets.push_back(text.target ? scene.names.words(*text.target) : "");
  return code;
}

}  // namespace culprit
