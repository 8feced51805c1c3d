#include "target/moved_instruction.h"

#include <capstone/capstone.h>
#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <span>

namespace culprit {
namespace {

struct Decoded {
  size_t length = 0;
  uint8_t rex = 0;  // 0: none
  size_t opcode_at = 0;
  uint8_t opcode = 0;  // of one byte, or the second of two
  bool is_two_byte = false;
  uint8_t modrm = 0;
  size_t displacement_at = 0, displacement_size = 0;
  bool is_rip_relative = false, is_repeated = false;
  bool is_plain = true;  // neither VEX nor the like: `opcode` means something
  uint64_t target = 0;   // of direct jumps and calls
};

struct Disassembly {
  csh handle = 0;
  cs_insn* insn = nullptr;
  ~Disassembly() {
    if (insn != nullptr) cs_free(insn, 1);
    if (handle != 0) cs_close(&handle);
  }
};

bool is_legacy_prefix(uint8_t byte) {
  constexpr uint8_t prefixes[] = {0xf0, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65, 0x66, 0x67};
  return std::ranges::count(prefixes, byte) != 0;
}

void find_opcode(Decoded& decoded, Bytes code) {
  auto byte = [&](size_t at) { return at < decoded.length ? static_cast<uint8_t>(code[at]) : uint8_t{0}; };
  size_t at = 0;
  bool has_repeat = false;
  for (; at < decoded.length && is_legacy_prefix(byte(at)); at++) has_repeat |= byte(at) == 0xf2 || byte(at) == 0xf3;
  if ((byte(at) & 0xf0) == 0x40) decoded.rex = byte(at++);
  constexpr uint8_t other_encodings[] = {0xc4, 0xc5, 0x62, 0x8f};  // VEX, EVEX, XOP (and pop, which is moved as it is)
  decoded.is_plain = std::ranges::count(other_encodings, byte(at)) == 0;
  decoded.is_two_byte = byte(at) == 0x0f;
  if (decoded.is_two_byte) at++;
  decoded.opcode_at = at;
  decoded.opcode = byte(at);
  // The string instructions: ins, outs; movs, cmps; stos, lods, scas.
  bool is_string = (decoded.opcode >= 0x6c && decoded.opcode <= 0x6f) ||
                   (decoded.opcode >= 0xa4 && decoded.opcode <= 0xa7) ||
                   (decoded.opcode >= 0xaa && decoded.opcode <= 0xaf);
  decoded.is_repeated = has_repeat && is_string && !decoded.is_two_byte;
}

Result<Decoded> decode(Bytes code, uint64_t address) {
  Disassembly with;
  if (cs_open(CS_ARCH_X86, CS_MODE_64, &with.handle) != CS_ERR_OK)
    return fail(ErrorKind::unsupported, "the capstone library was built without x86");
  cs_option(with.handle, CS_OPT_DETAIL, CS_OPT_ON);
  with.insn = cs_malloc(with.handle);
  const auto* next = reinterpret_cast<const uint8_t*>(code.data());
  size_t left = std::min(code.size(), most_instruction_bytes);
  uint64_t next_address = address;
  if (with.insn == nullptr || !cs_disasm_iter(with.handle, &next, &left, &next_address, with.insn))
    return fail(ErrorKind::unsupported, fmt::format("there is no instruction at {:#x}", address), address);
  const cs_insn& insn = *with.insn;
  const cs_x86& x86 = insn.detail->x86;
  Decoded decoded;
  decoded.length = insn.size;
  decoded.modrm = x86.modrm;
  decoded.displacement_at = x86.encoding.disp_offset;
  decoded.displacement_size = x86.encoding.disp_size;
  for (uint8_t i = 0; i < x86.op_count; i++) {
    if (x86.operands[i].type == X86_OP_MEM && x86.operands[i].mem.base == X86_REG_RIP) decoded.is_rip_relative = true;
  }
  bool jumps = cs_insn_group(with.handle, &insn, CS_GRP_JUMP) || cs_insn_group(with.handle, &insn, CS_GRP_CALL);
  if (jumps && x86.op_count == 1 && x86.operands[0].type == X86_OP_IMM)
    decoded.target = static_cast<uint64_t>(x86.operands[0].imm);
  find_opcode(decoded, code);
  return decoded;
}

// What kind of going elsewhere it is.
enum class Flow : uint8_t { none, jump, call, branch, short_branch, indirect_call, unmovable };

Flow flow_of(const Decoded& decoded) {
  if (!decoded.is_plain) return Flow::none;
  uint8_t opcode = decoded.opcode;
  if (decoded.is_two_byte) {
    if (opcode == 0x0b || opcode == 0xff || opcode == 0xb9) return Flow::none;  // ud2: faults anywhere
    return opcode >= 0x80 && opcode <= 0x8f ? Flow::branch : Flow::none;
  }
  if (opcode == 0xcc || opcode == 0xcd || opcode == 0xf1 || opcode == 0xce) return Flow::unmovable;  // a trap itself
  if (opcode == 0xe8) return Flow::call;
  if (opcode == 0xe9 || opcode == 0xeb) return Flow::jump;
  if (opcode >= 0x70 && opcode <= 0x7f) return Flow::branch;
  if (opcode >= 0xe0 && opcode <= 0xe3) return Flow::short_branch;  // loop, jrcxz
  uint8_t extension = decoded.modrm >> 3 & 7;
  if (opcode == 0xff && extension == 2) return Flow::indirect_call;
  if (opcode == 0xff && (extension == 3 || extension == 5)) return Flow::unmovable;  // far
  if (opcode == 0xc7 && decoded.modrm == 0xf8) return Flow::unmovable;               // xbegin
  return Flow::none;
}

// Code that is put together: never more than a slot holds, as the longest piece is known.
class Assembly {
 public:
  explicit Assembly(MovedInstruction& into) : into_(into) {}

  size_t here() const { return size_; }
  void bytes(Bytes some) {
    for (std::byte byte : some) {
      if (size_ < into_.code.size()) into_.code[size_++] = byte;
    }
  }
  void bytes(std::initializer_list<uint8_t> some) { bytes(std::as_bytes(std::span(some.begin(), some.size()))); }
  template <typename Word>
  void word(Word value) {
    bytes(std::as_bytes(std::span(&value, 1)));
  }
  void place(uint64_t address, uint8_t pushed = 0) {
    into_.places.push_back({static_cast<uint8_t>(size_), address, pushed});
  }
  // jmp *(%rip), and behind it where to
  void jump_to(uint64_t address) {
    bytes({0xff, 0x25, 0, 0, 0, 0});
    word(address);
  }
  // push of the word that stands behind the next `between` bytes
  void push_word_behind(size_t between) {
    bytes({0xff, 0x35});
    word(static_cast<int32_t>(between));
  }

 private:
  MovedInstruction& into_;
  size_t size_ = 0;
};

constexpr uint8_t far_jump_size = 14;

tl::unexpected<Error> cannot_move(uint64_t address) {
  return fail(ErrorKind::unsupported, fmt::format("the instruction at {:#x} cannot be executed anywhere else", address),
              address);
}

// The instruction's bytes as they must be `at` that address: what is told relative to it is told anew.
Result<std::vector<std::byte>> bytes_at(const Decoded& decoded, Bytes code, uint64_t address, uint64_t at) {
  std::vector<std::byte> bytes(code.begin(), code.begin() + static_cast<ptrdiff_t>(decoded.length));
  if (!decoded.is_rip_relative) return bytes;
  int32_t displacement = 0;
  if (decoded.displacement_size != sizeof displacement || decoded.displacement_at + 4 > bytes.size())
    return cannot_move(address);
  memcpy(&displacement, bytes.data() + decoded.displacement_at, sizeof displacement);
  auto moved = static_cast<int64_t>(address) + displacement - static_cast<int64_t>(at);
  displacement = static_cast<int32_t>(moved);
  if (displacement != moved) return cannot_move(address);
  memcpy(bytes.data() + decoded.displacement_at, &displacement, sizeof displacement);
  return bytes;
}

// call *OPERAND becomes push of the return address and jmp *OPERAND.
Result<void> add_indirect_call(Assembly& into, const Decoded& decoded, Bytes code, uint64_t address, uint64_t slot) {
  constexpr uint8_t needs_sib = 4, rsp = 4, jump_extension = 4 << 3;
  size_t modrm_at = decoded.opcode_at + 1;
  if (modrm_at + 1 > decoded.length) return cannot_move(address);
  bool is_register = decoded.modrm >> 6 == 3, has_rsp = (decoded.rex & 1) == 0 && (decoded.modrm & 7) == needs_sib;
  if (has_rsp && !is_register) has_rsp = (static_cast<uint8_t>(code[modrm_at + 1]) & 7) == rsp;
  if (has_rsp) return cannot_move(address);  // the push moves the stack below the operand
  into.push_word_behind(decoded.length);
  auto bytes = bytes_at(decoded, code, address, slot + into.here());
  if (!bytes) return tl::unexpected<Error>(std::move(bytes).error());
  (*bytes)[modrm_at] = std::byte{static_cast<uint8_t>((decoded.modrm & 0xc7) | jump_extension)};
  into.place(address, 8);
  into.bytes(*bytes);
  into.word(address + decoded.length);
  return {};
}

Result<void> add_plain(Assembly& into, const Decoded& decoded, Bytes code, uint64_t address, uint64_t slot) {
  auto bytes = bytes_at(decoded, code, address, slot);
  if (!bytes) return tl::unexpected<Error>(std::move(bytes).error());
  into.bytes(*bytes);
  into.place(address + decoded.length);
  into.jump_to(address + decoded.length);
  return {};
}

void add_branch(Assembly& into, const Decoded& decoded, Bytes code, uint64_t address, bool is_short) {
  constexpr uint8_t short_form = 0x70;
  if (is_short)
    into.bytes(code.first(decoded.opcode_at + 1));
  else
    into.bytes({static_cast<uint8_t>(short_form | (decoded.opcode & 0xf))});
  into.bytes({far_jump_size});
  into.place(address + decoded.length);
  into.jump_to(address + decoded.length);
  into.place(decoded.target);
  into.jump_to(decoded.target);
}

}  // namespace

Result<bool> must_stay_near(Bytes code, uint64_t address) {
  auto decoded = decode(code, address);
  if (!decoded) return tl::unexpected<Error>(std::move(decoded).error());
  return decoded->is_rip_relative;
}

Result<MovedInstruction> move_instruction(Bytes code, uint64_t address, uint64_t slot) {
  auto decoded = decode(code, address);
  if (!decoded) return tl::unexpected<Error>(std::move(decoded).error());
  MovedInstruction moved;
  moved.length = decoded->length;
  moved.places.push_back({0, address, 0});
  Assembly into(moved);
  Result<void> added;
  switch (Flow flow = flow_of(*decoded)) {
    case Flow::unmovable:
      return cannot_move(address);
    case Flow::jump:
      into.jump_to(decoded->target);
      break;
    case Flow::call:
      into.push_word_behind(far_jump_size);
      into.place(address, 8);
      into.jump_to(decoded->target);
      into.word(address + decoded->length);
      break;
    case Flow::indirect_call:
      added = add_indirect_call(into, *decoded, code, address, slot);
      break;
    case Flow::branch:
    case Flow::short_branch:
      add_branch(into, *decoded, code, address, flow == Flow::short_branch);
      break;
    case Flow::none:
      added = add_plain(into, *decoded, code, address, slot);
      break;
  }
  if (!added) return tl::unexpected<Error>(std::move(added).error());
  return moved;
}

Result<InstructionKind> instruction_kind(Bytes code, uint64_t address) {
  auto decoded = decode(code, address);
  if (!decoded) return tl::unexpected<Error>(std::move(decoded).error());
  Flow flow = flow_of(*decoded);
  return InstructionKind{.length = decoded->length,
                         .is_call = flow == Flow::call || flow == Flow::indirect_call,
                         .is_repeated = decoded->is_repeated};
}

}  // namespace culprit
