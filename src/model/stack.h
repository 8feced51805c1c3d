// Call stacks as addresses; symbols are looked up late, in symbols/.
#pragma once

#include <cstdint>

#include "model/ids.h"

namespace culprit {

// How a frame was found, in ascending trust.
enum class FoundBy : uint8_t {
  scan,           // something on the stack that looks like a return address
  frame_pointer,  // the caller's frame pointer was believed
  unwind_table,   // .eh_frame of the module: exact
  registers,      // the program counter itself: the instruction that was executing (top frame, or interrupted by a signal)
};

struct Frame {
  ModuleId module = ModuleId::none;
  // The address as the module's own ELF headers count it (link-time virtual address: pc minus load bias), which is what
  // symbolizers take. An absolute address of the process when `module` is none. It is a return address, so a symbolizer
  // looks one byte before it, unless found_by is `registers`.
  uint64_t offset = 0;
  FoundBy found_by = FoundBy::unwind_table;

  auto operator<=>(const Frame&) const = default;
};

}  // namespace culprit
