// The breakpoints of a process, as the engine that traces it has them: which bytes are replaced by int3, what is under
// them, and what a hit means.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "target/debug_messages.h"
#include "target/safety_net.h"
#include "target/victim_memory.h"

namespace culprit {

// A byte of the program that is an int3 now.
struct BreakpointSite {
  uint64_t slot = 0;  // where the instruction can be executed instead; 0: it must be put back for that
  std::array<std::byte, most_instruction_bytes> code{};  // as it is without breakpoints
  std::vector<uint32_t> breakpoints;
};

class BreakpointTable {
 public:
  BreakpointTable(uint32_t pid, VictimMemory memory) : pid_(pid), memory_(std::move(memory)) {}

  // All threads stand still; `helper` is one of them that can make system calls for us, or 0. Its id. Errors: not_found
  // (no code there), unsupported, limit.
  Result<uint32_t> set(const BreakpointRequest& request, const Expression& condition, uint32_t helper);
  bool remove(uint32_t id);
  bool enable(uint32_t id, bool is_enabled, uint32_t helper);
  // It has stopped something: it goes, if it was for one time.
  void spend(uint32_t id);
  std::vector<BreakpointState> states() const;

  BreakpointSite* site_at(uint64_t address);
  // A thread came there. The breakpoint that stops it, if any.
  struct Verdict {
    uint32_t breakpoint = 0;
    bool is_unknown = false;
  };
  std::optional<Verdict> hit(BreakpointSite& site, uint32_t tid, const Registers& registers);
  // An int3 lies there, but none of ours.
  bool is_foreign_trap(uint64_t address);
  // If the thread executes a moved instruction: puts in where it is by the program's own reckoning.
  const MovedPlace* shown_place(Registers& registers) const;

  // For a step that can only be done in the instruction's own place. What lies there meanwhile may be another library:
  // only the byte that is expected is replaced.
  void lift(uint64_t address);
  void put_back(uint64_t address);
  // In another process's copy of the memory, too.
  void restore_all(VictimMemory& memory) const;
  void restore_all() { restore_all(memory_); }
  // The program is another one now.
  void forget_all();

  SafetyNet* net() { return net_ ? &*net_ : nullptr; }
  VictimMemory& memory() { return memory_; }

 private:
  struct Breakpoint {
    uint32_t id = 0;
    bool is_enabled = true;
    BreakpointRequest request;
    Expression condition;
    uint64_t hits = 0, matches = 0;
  };

  bool lies_at(uint64_t address, std::byte byte);
  Result<void> check_place(uint64_t address);
  Result<void> insert(Breakpoint& breakpoint, uint32_t helper);
  void take_out(const Breakpoint& breakpoint);
  std::optional<Verdict> verdict(Breakpoint& breakpoint, uint32_t tid, const Registers& registers);

  uint32_t pid_;
  VictimMemory memory_;
  std::optional<SafetyNet> net_;
  std::map<uint32_t, Breakpoint> breakpoints_;
  std::unordered_map<uint64_t, BreakpointSite> sites_;
  uint32_t next_id_ = 1;
};

}  // namespace culprit
