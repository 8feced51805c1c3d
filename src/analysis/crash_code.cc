#include "analysis/crash_code.h"

#include <fmt/format.h>

#include <algorithm>

namespace culprit {
namespace {

constexpr size_t longest_function = 256 * 1024, shown_before = 3, shown_behind = 2, longest_instruction = 15;
// rdi, rsi, rdx, rcx, r8, r9: System V ABI, 3.2.3.
constexpr uint8_t argument_registers[] = {7, 6, 2, 1, 8, 9};
// rax, rcx, rdx, rsi, rdi, r8 to r11: a call may change them.
constexpr uint16_t changed_by_calls = 0b0000'1111'1100'0111;

struct FunctionCode {
  uint64_t start = 0;
  std::vector<std::byte> bytes;
  std::vector<Instruction> instructions;
  size_t failed = 0;  // the instruction at rip
};

bool is_call(const Instruction& instruction) {
  auto first = static_cast<uint8_t>(instruction.bytes[0]);
  size_t opcode = (first & 0xf0) == 0x40 && instruction.bytes.size() > 1 ? 1 : 0;
  auto code = static_cast<uint8_t>(instruction.bytes[opcode]);
  if (code == 0xe8) return true;
  return code == 0xff && instruction.bytes.size() > opcode + 1 &&
         (static_cast<uint8_t>(instruction.bytes[opcode + 1]) >> 3 & 7) == 2;
}

// The function that rip stands in, if its symbol tells where it begins and its instructions lead to rip.
std::optional<FunctionCode> read_function(CrashScene& scene, Disassembler& disassembler) {
  uint64_t rip = scene.registers().rip;
  TargetNames::Place place = scene.names.place_of(rip);
  if (!place.symbol || place.symbol->kind != SymbolKind::function || place.offset > longest_function) return {};
  FunctionCode function{.start = rip - place.offset};
  uint64_t size = std::max(place.symbol->size, place.offset + longest_instruction);
  function.bytes.resize(std::min<uint64_t>(size, longest_function + longest_instruction));
  if (!scene.target.memory().read(function.start, function.bytes)) return {};
  disassembler.decode(function.bytes, function.start, function.instructions);
  auto at = std::ranges::lower_bound(function.instructions, rip, {}, &Instruction::address);
  if (at == function.instructions.end() || at->address != rip) return {};
  function.failed = static_cast<size_t>(at - function.instructions.begin());
  return function;
}

// Whether a jump may come in between, so that what stands before has not been executed.
bool is_jumped_into(const FunctionCode& function, uint64_t behind, uint64_t up_to) {
  return std::ranges::any_of(function.instructions, [&](const Instruction& instruction) {
    return instruction.target && *instruction.target > behind && *instruction.target <= up_to;
  });
}

class OriginSearch {
 public:
  OriginSearch(CrashScene& scene, Disassembler& disassembler, const FunctionCode& function)
      : scene_(scene), disassembler_(disassembler), function_(function) {}

  std::string of(uint8_t reg) {
    std::string name(register_name(reg));
    uint64_t fault = function_.instructions[function_.failed].address;
    for (size_t at = function_.failed; at-- > 0;) {
      const Instruction& each = function_.instructions[at];
      bool calls = is_call(each) && (changed_by_calls >> reg & 1) != 0;
      if (!calls && !each.writes(reg)) continue;
      if (is_jumped_into(function_, each.address, fault)) return {};
      if (calls) return reg == machine_rax ? name + call_words(each) : "";
      if (!each.source) return name + fmt::format(" comes from {}", text_of(each));
      reg = *each.source;
    }
    return is_jumped_into(function_, function_.start - 1, fault) ? "" : argument_words(name, reg);
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

}  // namespace

CrashCode read_crash_code(CrashScene& scene) {
  CrashCode code;
  auto disassembler = Disassembler::make();
  if (!scene.instruction || !disassembler) return code;
  uint64_t rip = scene.registers().rip;
  auto function = read_function(scene, *disassembler);
  std::vector<std::byte> behind = bytes_from(scene.target.memory(), rip);
  if (!function) {
    take_lines(code, *disassembler, behind, rip, 0);
    return code;
  }
  size_t before = std::min(shown_before, function->failed);
  uint64_t start = function->instructions[function->failed - before].address;
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

}  // namespace culprit
