// Walks a stack from registers and memory by the compact tables (wire/unwind_rows.h). Exact as the tables are; code
// without table is stepped over by its frame pointer, as far as that can be believed, and those frames are marked.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "model/memory_reader.h"
#include "model/stack.h"
#include "wire/unwind_rows.h"

namespace culprit {

struct UnwindRegisters {
  uint64_t ip = 0, sp = 0, bp = 0;
  bool is_bp_known = true;  // false: a walk that comes to need it is truncated there, and `needs_bp` says so
};

// The code that lies at some address.
struct UnwindCode {
  uint64_t bias = 0;                         // absolute minus link-time address
  std::span<const culprit_unwind_row> rows;  // empty: it has no table
  std::span<const uint32_t> far;
};
// What lies at a pc; nothing: no code.
using CodeLookup = std::function<std::optional<UnwindCode>(uint64_t pc)>;

struct WalkedFrame {
  uint64_t address = 0;  // absolute; a return address unless found_by is `registers`
  FoundBy found_by = FoundBy::unwind_table;
  uint64_t sp = 0;  // where it stands: from here to its caller's lie its variables, and what it has saved

  bool operator==(const WalkedFrame& other) const { return address == other.address && found_by == other.found_by; }
};

struct StackWord {
  uint64_t address = 0, value = 0;
};

struct WalkedStack {
  std::vector<WalkedFrame> frames;  // innermost first
  bool is_truncated = false;        // the walk had to stop before the outer end

  // What it depended on: a walk from the same ip and sp (and bp, if `needs_bp`) that finds these words, and the same
  // code, comes to the same frames. Says nothing of a truncated one.
  std::vector<StackWord> words;
  bool needs_bp = false;
};

struct UnwindOptions {
  size_t limit = 4096;             // of frames; beyond, the stack is truncated
  bool is_in_system_call = false;  // the first pc stands right behind a syscall instruction
};

WalkedStack walk_stack(const UnwindRegisters& registers, MemoryReader& memory, const CodeLookup& code,
                       const UnwindOptions& options = {});

}  // namespace culprit
