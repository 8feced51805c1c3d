// x86-64 machine code: as text for people, and as the patch site finder needs it: boundaries, jumps, and which
// registers get which value.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "model/registers.h"

namespace culprit {

// Registers by their number in machine code: 0 rax, 1 rcx, 2 rdx, 3 rbx, 4 rsp, 5 rbp, 6 rsi, 7 rdi, 8 … 15.
inline constexpr uint8_t machine_rax = 0, machine_rsp = 4;

struct Instruction {
  uint64_t address = 0;
  Bytes bytes;
  uint16_t written = 0;              // bit n: general register n is changed
  std::optional<uint64_t> target;    // of a direct jump (not of a call)
  std::optional<uint32_t> constant;  // mov $imm,%reg or xor %reg,%reg: the value that the register gets
  std::optional<uint8_t> source;     // mov %reg,%reg: the register it comes from
  bool is_movable = false;  // means the same at any address: moves between registers, constants and the stack frame

  uint64_t end() const { return address + bytes.size(); }
  bool is_syscall() const;
  bool writes(uint8_t reg) const { return (written >> reg & 1) != 0; }
};

// An instruction for people, in Intel's notation.
struct InstructionText {
  uint64_t address = 0;
  uint8_t size = 0;
  std::string operation, operands;       // "mov", "rax, qword ptr [rip + 0x2f]"; of a byte that is none: "??"
  std::optional<uint64_t> target;        // of a direct jump or call
  std::optional<uint64_t> data_address;  // that an operand relative to rip means
};

// An operand that lies in memory; also those that push, pop, call, ret and leave have without naming them.
struct MemoryOperand {
  std::string text;                    // "[rax + 0x18]"
  std::optional<uint8_t> base, index;  // registers, by their number in machine code
  uint8_t scale = 1;
  uint64_t displacement = 0;  // of one relative to rip: the whole address
  bool by_fs = false, by_gs = false;
  bool is_computable = true;           // false: its address needs registers that are not general ones
  uint16_t size = 0;                   // bytes; 0: not known
  bool reads = false, writes = false;  // neither: not known

  // Nothing: it cannot be computed from these.
  std::optional<uint64_t> address(const Registers& registers) const;
};

enum class Flow : uint8_t { on, jump, call, back };  // where it goes next; back: to its caller

// What an instruction works on: which of it can fault.
struct InstructionOperands {
  InstructionText text;
  std::vector<MemoryOperand> memory;  // in the order in which they are named
  Flow flow = Flow::on;
  std::optional<uint8_t> flow_register;  // of a jump or call through a register
  bool is_division = false;              // of integers, by `divisor` or by memory[0]
  std::optional<uint8_t> divisor;
  uint16_t operand_size = 0;                         // of the first operand, bytes
  bool is_breakpoint = false, is_undefined = false;  // int3; ud0, ud1, ud2
  bool is_privileged = false;                        // the kernel's alone, as hlt and in
  std::string feature;  // of the processor that it needs, "AVX-512"; empty: nothing special
};

uint64_t value_of(const Registers& registers, uint8_t reg);
std::string_view register_name(uint8_t reg);  // "rax"

// Not thread-safe: one per thread.
class Disassembler {
 public:
  static Result<Disassembler> make();
  Disassembler(Disassembler&&) noexcept;
  ~Disassembler();

  // The instructions from the first byte on, up to the end or to bytes that are none. `into` is replaced.
  void decode(Bytes code, uint64_t address, std::vector<Instruction>& into);

  // At most so many instructions; a byte that begins none is one of its own. Ends before an instruction that `code`
  // holds only a part of.
  std::vector<InstructionText> as_text(Bytes code, uint64_t address, size_t most);

  // The first instruction; nothing: the bytes are none.
  std::optional<InstructionOperands> operands(Bytes code, uint64_t address);

 private:
  struct State;
  explicit Disassembler(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace culprit
