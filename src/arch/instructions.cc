#include "arch/instructions.h"

#include <array>
#include <utility>

#include "arch/capstone_state.h"

namespace culprit {

namespace {

constexpr std::pair<x86_reg, int> high_bytes[] = {{X86_REG_AH, 0}, {X86_REG_CH, 1}, {X86_REG_DH, 2}, {X86_REG_BH, 3}};

// For each of capstone's registers the bit of the general register it is part of.
constexpr auto register_bits = [] {
  std::array<uint16_t, X86_REG_ENDING> bits{};
  for (unsigned number = 0; number < 16; ++number)
    for (x86_reg name : capstone_registers[number]) bits[name] = static_cast<uint16_t>(1u << number);
  for (auto [name, number] : high_bytes) bits[name] = static_cast<uint16_t>(1u << number);
  return bits;
}();

struct Operands {
  uint8_t reg, rm;
  bool is_register;    // rm is one
  bool is_stack_slot;  // disp(%rsp) or disp(%rbp)
  size_t size;         // of the ModRM byte and what belongs to it
};

Operands read_operands(Bytes code, uint8_t rex) {
  auto modrm = static_cast<uint8_t>(code[0]);
  unsigned mode = modrm >> 6, low = modrm & 7;
  Operands operands{.reg = static_cast<uint8_t>((modrm >> 3 & 7) | (rex & 4) << 1),
                    .rm = static_cast<uint8_t>(low | (rex & 1) << 3),
                    .is_register = mode == 3,
                    .is_stack_slot = false,
                    .size = 1};
  if (mode == 3) return operands;
  constexpr size_t displacement_size[] = {0, 1, 4};
  bool has_plain_rsp = low == 4 && code.size() > 1 && code[1] == std::byte{0x24} && (rex & 3) == 0;
  bool has_rbp = low == 5 && mode != 0 && (rex & 1) == 0;
  operands.is_stack_slot = has_plain_rsp || has_rbp;
  operands.size += (has_plain_rsp ? 1 : 0) + displacement_size[mode];
  return operands;
}

// Recognises the movable encodings; everything else stays as it is. No prefix but REX.
void classify(Instruction& instruction) {
  Bytes code = instruction.bytes;
  uint8_t rex = 0;
  if ((static_cast<uint8_t>(code[0]) & 0xf0) == 0x40) {
    rex = static_cast<uint8_t>(code[0]);
    code = code.subspan(1);
  }
  if (code.empty()) return;
  auto opcode = static_cast<uint8_t>(code[0]);
  code = code.subspan(1);
  // The encodings below write this register and nothing else.
  auto destination = [&](uint8_t reg) {
    instruction.written = static_cast<uint16_t>(1u << reg);
    return reg != machine_rsp;
  };
  if ((opcode & 0xf8) == 0xb8 && (rex & 8) == 0 && code.size() == 4) {  // mov $imm32,%r32
    if (!destination(static_cast<uint8_t>((opcode & 7) | (rex & 1) << 3))) return;
    instruction.constant = ByteReader(code).take<uint32_t>();
    instruction.is_movable = true;
    return;
  }
  if (code.empty()) return;
  Operands operands = read_operands(code, rex);
  Bytes immediate = code.size() >= operands.size ? code.subspan(operands.size) : Bytes{};
  switch (opcode) {
    case 0xc7:  // mov $imm32,%reg; the 64-bit form extends the sign
      if (!operands.is_register || immediate.size() != 4 || !destination(operands.rm)) return;
      instruction.constant = ByteReader(immediate).take<uint32_t>();
      break;
    case 0x31:  // xor %reg,%rm
    case 0x33:
      if (!operands.is_register || !immediate.empty() || instruction.written == 0 || instruction.writes(machine_rsp))
        return;
      if (operands.reg == operands.rm) instruction.constant = 0;
      break;
    case 0x89:  // mov %reg,%rm
      if (!operands.is_register || !immediate.empty() || !destination(operands.rm)) return;
      instruction.source = operands.reg;
      break;
    case 0x8b:  // mov rm,%reg
      if (!(operands.is_register || operands.is_stack_slot) || !immediate.empty() || !destination(operands.reg)) return;
      if (operands.is_register) instruction.source = operands.rm;
      break;
    default:
      return;
  }
  instruction.is_movable = true;
}

uint16_t registers_written(csh handle, const cs_insn& insn) {
  cs_regs read, written;
  uint8_t read_count = 0, written_count = 0;
  if (cs_regs_access(handle, &insn, read, &read_count, written, &written_count) != CS_ERR_OK) return 0xffff;
  uint16_t bits = 0;
  for (uint8_t i = 0; i < written_count; ++i) bits |= written[i] < register_bits.size() ? register_bits[written[i]] : 0;
  return bits;
}

std::optional<uint64_t> jump_target(csh handle, const cs_insn& insn) {
  if (!cs_insn_group(handle, &insn, CS_GRP_JUMP)) return {};
  const cs_x86& x86 = insn.detail->x86;
  if (x86.op_count != 1 || x86.operands[0].type != X86_OP_IMM) return {};
  return static_cast<uint64_t>(x86.operands[0].imm);
}

}  // namespace

Disassembler::Disassembler(std::unique_ptr<State> state) : state_(std::move(state)) {}
Disassembler::Disassembler(Disassembler&&) noexcept = default;
Disassembler::~Disassembler() = default;

Result<Disassembler> Disassembler::make() {
  auto state = std::make_unique<State>();
  if (cs_open(CS_ARCH_X86, CS_MODE_64, &state->handle) != CS_ERR_OK)
    return fail(ErrorKind::unsupported, "the capstone library was built without x86");
  cs_option(state->handle, CS_OPT_DETAIL, CS_OPT_ON);
  state->insn = cs_malloc(state->handle);
  if (state->insn == nullptr) return fail(ErrorKind::limit, "no memory to disassemble with");
  return Disassembler(std::move(state));
}

void Disassembler::decode(Bytes code, uint64_t address, std::vector<Instruction>& into) {
  into.clear();
  csh handle = state_->handle;
  const auto* next = reinterpret_cast<const uint8_t*>(code.data());
  size_t left = code.size();
  uint64_t next_address = address;
  while (left > 0) {
    Bytes rest = code.subspan(code.size() - left);
    if (!cs_disasm_iter(handle, &next, &left, &next_address, state_->insn)) return;
    const cs_insn& insn = *state_->insn;
    Instruction instruction{.address = insn.address, .bytes = rest.first(insn.size)};
    instruction.written = registers_written(handle, insn);
    instruction.target = jump_target(handle, insn);
    classify(instruction);
    into.push_back(instruction);
  }
}

std::vector<InstructionText> Disassembler::as_text(Bytes code, uint64_t address, size_t most) {
  std::vector<InstructionText> texts;
  csh handle = state_->handle;
  const auto* next = reinterpret_cast<const uint8_t*>(code.data());
  size_t left = code.size();
  while (left > 0 && texts.size() < most) {
    if (!cs_disasm_iter(handle, &next, &left, &address, state_->insn)) {
      constexpr size_t longest_instruction = 15;
      if (left < longest_instruction) break;
      texts.push_back(
          {.address = address, .size = 1, .operation = "??", .operands = {}, .target = {}, .data_address = {}});
      ++next, ++address, --left;
      continue;
    }
    const cs_insn& insn = *state_->insn;
    InstructionText text{.address = insn.address,
                         .size = static_cast<uint8_t>(insn.size),
                         .operation = insn.mnemonic,
                         .operands = insn.op_str,
                         .target = {},
                         .data_address = {}};
    const cs_x86& x86 = insn.detail->x86;
    bool branches = cs_insn_group(handle, &insn, CS_GRP_JUMP) || cs_insn_group(handle, &insn, CS_GRP_CALL);
    for (uint8_t i = 0; i < x86.op_count; ++i) {
      const cs_x86_op& operand = x86.operands[i];
      if (branches && operand.type == X86_OP_IMM) text.target = static_cast<uint64_t>(operand.imm);
      if (operand.type == X86_OP_MEM && operand.mem.base == X86_REG_RIP)
        text.data_address = insn.address + insn.size + static_cast<uint64_t>(operand.mem.disp);
    }
    texts.push_back(std::move(text));
  }
  return texts;
}

bool Instruction::is_syscall() const {
  return bytes.size() == 2 && bytes[0] == std::byte{0x0f} && bytes[1] == std::byte{0x05};
}

}  // namespace culprit
