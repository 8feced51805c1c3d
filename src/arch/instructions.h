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

 private:
  struct State;
  explicit Disassembler(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace culprit
