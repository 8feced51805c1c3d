// Which variable, or member of what it points to, an instruction worked on: the question, and what debug info says.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace culprit {

// A pointer was in a register, or in a word of memory, at `pc`; from there some words were loaded, each through the one
// before. All that is asked is how a programmer would write that. Crosses a process border as it lies in memory.
struct ObjectQuestion {
  static constexpr uint8_t no_register = 0xff, most_steps = 4;

  uint64_t pc = 0;  // link-time, of the instruction at which the register or word had the value
  uint64_t seen_from =
      0;               // link-time, of the instruction that names are wanted for: what is inlined elsewhere has others
  uint64_t bias = 0;   // absolute minus link-time addresses
  uint64_t slot = 0;   // where the value was in memory; absolute
  uint64_t frame = 0;  // of the function at pc: the address behind its return address (CFA); 0: unknown
  uint64_t rbp = 0, rsp = 0;                  // as they were at pc
  std::array<int64_t, most_steps> offsets{};  // of the words loaded, the last one that of the object itself
  uint8_t steps = 0;          // how many offsets there are; 0: it is the register or word itself that is asked about
  uint8_t reg = no_register;  // by its number in machine code; no_register: it was in `slot`
  bool is_indexed = false;    // an index was added at the last step, so that it is an array
};

// Foreign text. Without a name for the object itself only the pointer's.
struct NamedObject {
  std::string object;             // "cart->total"; empty: the last offset leads to nothing that has one name
  std::string anchor;             // "cart": the variable at the beginning
  std::string pointer;            // "cart": what was used as a pointer at the last step; empty: there were no steps
  std::string pointer_type;       // "Cart*"
  bool is_virtual_table = false;  // the hidden pointer to it, or (no `pointer`) what it leads to; of `object`

  bool operator==(const NamedObject&) const = default;
};

}  // namespace culprit
