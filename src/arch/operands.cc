// Which memory an instruction works on, and where that lies.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "arch/capstone_state.h"
#include "arch/memory_access.h"

namespace culprit {

namespace {

constexpr uint64_t Registers::*register_fields[16] = {
    &Registers::rax, &Registers::rcx, &Registers::rdx, &Registers::rbx, &Registers::rsp, &Registers::rbp,
    &Registers::rsi, &Registers::rdi, &Registers::r8,  &Registers::r9,  &Registers::r10, &Registers::r11,
    &Registers::r12, &Registers::r13, &Registers::r14, &Registers::r15};
constexpr std::string_view register_words[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                                 "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
constexpr uint8_t machine_rbp = 5;

std::optional<uint8_t> number_of(unsigned name) {
  for (uint8_t number = 0; number < 16; ++number)
    for (x86_reg each : capstone_registers[number])
      if (static_cast<unsigned>(each) == name) return number;
  return {};
}

MemoryOperand explicit_operand(const cs_insn& insn, const cs_x86_op& operand) {
  MemoryOperand memory{.displacement = static_cast<uint64_t>(operand.mem.disp),
                       .by_fs = operand.mem.segment == X86_REG_FS,
                       .by_gs = operand.mem.segment == X86_REG_GS,
                       .size = operand.size};
  memory.scale = static_cast<uint8_t>(operand.mem.scale);
  memory.reads = (operand.access & CS_AC_READ) != 0;
  memory.writes = (operand.access & CS_AC_WRITE) != 0;
  if (operand.mem.base == X86_REG_RIP)
    memory.displacement += insn.address + insn.size;
  else if (operand.mem.base != X86_REG_INVALID)
    memory.is_computable = (memory.base = number_of(operand.mem.base)).has_value();
  // Gathers have a vector of indexes. riz is capstone's word for no index.
  if (operand.mem.index != X86_REG_INVALID && operand.mem.index != X86_REG_RIZ)
    memory.is_computable &= (memory.index = number_of(operand.mem.index)).has_value();
  return memory;
}

// "qword ptr [rax + 0x18]" of all operands' text: the nth that has brackets, without the size.
std::string text_of_operand(std::string_view operands, size_t number) {
  for (size_t from = 0, open; (open = operands.find('[', from)) != operands.npos; from = open + 1) {
    size_t close = operands.find(']', open);
    if (close == operands.npos) break;
    if (number-- != 0) continue;
    std::string_view prefix = operands.substr(0, open);
    bool has_segment = prefix.ends_with("fs:") || prefix.ends_with("gs:");
    size_t start = has_segment ? open - 3 : open;
    return std::string(operands.substr(start, close + 1 - start));
  }
  return "memory";
}

MemoryOperand stack_word(std::string text, uint8_t base, int64_t displacement, bool writes) {
  return {.text = std::move(text),
          .base = base,
          .displacement = static_cast<uint64_t>(displacement),
          .size = 8,
          .reads = !writes,
          .writes = writes};
}

struct StackRow {
  unsigned instruction;
  uint8_t base;
  bool writes;
};
constexpr StackRow stack_rows[] = {
    {X86_INS_PUSH, machine_rsp, true},   {X86_INS_PUSHFQ, machine_rsp, true}, {X86_INS_CALL, machine_rsp, true},
    {X86_INS_POP, machine_rsp, false},   {X86_INS_POPFQ, machine_rsp, false}, {X86_INS_RET, machine_rsp, false},
    {X86_INS_LEAVE, machine_rbp, false},
};

void add_stack_word(const cs_insn& insn, std::vector<MemoryOperand>& memory) {
  for (const StackRow& row : stack_rows) {
    if (row.instruction != insn.id) continue;
    std::string name = row.base == machine_rsp ? "the top of the stack" : "the frame that rbp points to";
    memory.push_back(stack_word(std::move(name), row.base, row.writes ? -8 : 0, row.writes));
  }
}

// rdtsc and its like are forbidden at times (PR_SET_TSC): not here.
constexpr unsigned privileged[] = {X86_INS_IN,    X86_INS_OUT,   X86_INS_INSB,  X86_INS_INSD,  X86_INS_INSW,
                                   X86_INS_OUTSB, X86_INS_OUTSD, X86_INS_OUTSW, X86_INS_RDMSR, X86_INS_CLTS};

bool is_privileged(csh handle, const cs_insn& insn) {
  if (insn.id == X86_INS_RDTSCP || insn.id == X86_INS_RDPMC) return false;
  return cs_insn_group(handle, &insn, CS_GRP_PRIVILEGE) ||
         std::ranges::find(privileged, insn.id) != std::end(privileged);
}

struct FeatureRow {
  uint8_t group;
  std::string_view name;
};
// The strongest first: an instruction may be of several groups.
constexpr FeatureRow features[] = {
    {X86_GRP_AVX512, "AVX-512"}, {X86_GRP_ERI, "AVX-512ER"}, {X86_GRP_PFI, "AVX-512PF"}, {X86_GRP_VLX, "AVX-512VL"},
    {X86_GRP_BWI, "AVX-512BW"},  {X86_GRP_DQI, "AVX-512DQ"}, {X86_GRP_CDI, "AVX-512CD"}, {X86_GRP_AVX2, "AVX2"},
    {X86_GRP_FMA, "FMA"},        {X86_GRP_FMA4, "FMA4"},     {X86_GRP_XOP, "XOP"},       {X86_GRP_TBM, "TBM"},
    {X86_GRP_F16C, "F16C"},      {X86_GRP_AVX, "AVX"},       {X86_GRP_BMI2, "BMI2"},     {X86_GRP_BMI, "BMI1"},
    {X86_GRP_ADX, "ADX"},        {X86_GRP_RTM, "TSX"},       {X86_GRP_HLE, "TSX"},       {X86_GRP_SHA, "SHA"},
    {X86_GRP_AES, "AES"},        {X86_GRP_PCLMUL, "PCLMUL"}, {X86_GRP_SSE42, "SSE4.2"},  {X86_GRP_SSE41, "SSE4.1"},
    {X86_GRP_SSE4A, "SSE4a"},    {X86_GRP_SSSE3, "SSSE3"},   {X86_GRP_SSE3, "SSE3"},
};

std::string feature_of(csh handle, const cs_insn& insn) {
  for (const FeatureRow& row : features)
    if (cs_insn_group(handle, &insn, row.group)) return std::string(row.name);
  return {};
}

Flow flow_of(csh handle, const cs_insn& insn) {
  if (cs_insn_group(handle, &insn, CS_GRP_CALL)) return Flow::call;
  if (cs_insn_group(handle, &insn, CS_GRP_RET)) return Flow::back;
  return cs_insn_group(handle, &insn, CS_GRP_JUMP) ? Flow::jump : Flow::on;
}

}  // namespace

uint64_t value_of(const Registers& registers, uint8_t reg) { return reg < 16 ? registers.*register_fields[reg] : 0; }

std::string_view register_name(uint8_t reg) { return reg < 16 ? register_words[reg] : "?"; }

std::optional<uint64_t> MemoryOperand::address(const Registers& registers) const {
  if (!is_computable) return {};
  uint64_t address = displacement;
  if (base) address += value_of(registers, *base);
  if (index) address += value_of(registers, *index) * scale;
  if (by_fs) address += registers.fs_base;
  if (by_gs) address += registers.gs_base;
  return address;
}

std::optional<InstructionOperands> Disassembler::operands(Bytes code, uint64_t address) {
  std::vector<InstructionText> texts = as_text(code, address, 1);
  if (texts.empty() || texts.front().operation == "??") return {};
  const cs_insn& insn = *state_->insn;
  csh handle = state_->handle;
  InstructionOperands found{.text = std::move(texts.front())};
  found.flow = flow_of(handle, insn);
  found.is_division = insn.id == X86_INS_DIV || insn.id == X86_INS_IDIV;
  found.is_breakpoint = insn.id == X86_INS_INT3;
  found.is_undefined = insn.id == X86_INS_UD0 || insn.id == X86_INS_UD2 || insn.id == X86_INS_UD2B;
  found.is_privileged = is_privileged(handle, insn);
  found.feature = feature_of(handle, insn);
  const cs_x86& x86 = insn.detail->x86;
  if (x86.op_count != 0) found.operand_size = x86.operands[0].size;
  for (uint8_t i = 0; i < x86.op_count; ++i) {
    const cs_x86_op& operand = x86.operands[i];
    if (operand.type == X86_OP_REG && found.flow != Flow::on) found.flow_register = number_of(operand.reg);
    if (operand.type == X86_OP_REG && found.is_division) found.divisor = number_of(operand.reg);
    // Addresses are computed, and hints given, without touching memory.
    if (operand.type != X86_OP_MEM || insn.id == X86_INS_LEA || insn.id == X86_INS_NOP) continue;
    MemoryOperand memory = explicit_operand(insn, operand);
    correct_access(cs_insn_name(handle, insn.id), i == 0, memory);
    memory.text = text_of_operand(found.text.operands, found.memory.size());
    // Where a jump goes is read.
    if (found.flow != Flow::on) memory.reads = true, memory.writes = false;
    found.memory.push_back(std::move(memory));
  }
  add_stack_word(insn, found.memory);
  return found;
}

}  // namespace culprit
