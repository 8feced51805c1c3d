// An instruction that can be executed somewhere else with the same effect, followed by the way back: what a thread does
// in place of the instruction under a breakpoint, without the breakpoint ever being taken out.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace culprit {

// x86-64's longest instruction.
inline constexpr size_t most_instruction_bytes = 15;
inline constexpr size_t moved_instruction_size = 64;

// A place within the moved code where a thread may be found, and where it is by the program's own reckoning.
struct MovedPlace {
  uint8_t offset = 0;    // within the moved code
  uint64_t address = 0;  // in the program
  uint8_t pushed = 0;    // bytes that were pushed already, to be taken back
};

struct MovedInstruction {
  std::array<std::byte, moved_instruction_size> code{};
  std::vector<MovedPlace> places;  // the first is offset 0: nothing has been executed
  size_t length = 0;               // of the instruction
};

// How stepping over an instruction differs from executing it once.
struct InstructionKind {
  size_t length = 0;
  bool is_call = false;      // goes on behind it when what it calls has returned
  bool is_repeated = false;  // rep movs …: one execution is one round of it
};
Result<InstructionKind> instruction_kind(Bytes code, uint64_t address);

// What the instruction at `address` needs: true if the code must lie within 2 GB of it. Errors: unsupported.
Result<bool> must_stay_near(Bytes code, uint64_t address);
// `code`: at least the bytes of the instruction at `address`; `slot`: where the moved code will lie. Errors:
// unsupported (nothing that can be moved, or no instruction).
Result<MovedInstruction> move_instruction(Bytes code, uint64_t address, uint64_t slot);

}  // namespace culprit
