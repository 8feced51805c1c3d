// Stacks of a target's threads: walked by the unwind tables of its modules, and given names.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "analysis/report_stack.h"
#include "target/target.h"
#include "unwind/unwind_table.h"
#include "unwind/unwinder.h"

namespace culprit {

// Unwind tables are built once per module, when the first stack leads through it. Not thread-safe.
class TargetStacks {
 public:
  // The target, and what the lookup refers to, must outlive this. An empty lookup: no names.
  TargetStacks(Target& target, SymbolLookup lookup) : target_(target), lookup_(std::move(lookup)) {}

  // From what is known of the thread, as of the target's last threads(); no frames: nothing is. If it is truncated and
  // `needs_bp`, RegistersKnown::stack_only was not enough, and Target::complete() helps.
  // `limit`: of frames; beyond, it is truncated.
  WalkedStack walk(const TargetThread& thread, size_t limit = UnwindOptions{}.limit);
  // Of each; those for which it was not enough are completed, which stops them for a moment, and walked again.
  std::vector<WalkedStack> walk_all(std::span<TargetThread> threads);

  // The instruction at an address, as the only frame of a stack, with what is inlined there.
  ReportStack place(uint64_t address);
  // With names, looked up in one batch, inlined functions and blame.
  std::vector<ReportStack> report(std::span<const WalkedStack> stacks);

 private:
  struct Place {
    const TargetModule* module = nullptr;  // null: no module
    uint64_t offset = 0;
    FoundBy found_by = FoundBy::unwind_table;
    bool operator==(const Place&) const = default;
  };
  struct Hash {
    size_t operator()(const Place& place) const;
  };

  std::optional<UnwindCode> code_at(uint64_t pc);
  const std::optional<UnwindTable>& table_of(const TargetModule& module);
  const Module& looked_up_as(const TargetModule& module);
  Place place_of(const WalkedFrame& frame);
  void look_up(std::span<const WalkedStack> stacks);
  std::vector<ReportFrame> report_frames(const Place& place) const;

  Target& target_;
  SymbolLookup lookup_;
  std::unordered_map<const TargetModule*, std::optional<UnwindTable>> tables_;
  std::unordered_map<const TargetModule*, Module> modules_;
  std::unordered_map<Place, SymbolizedFrame, Hash> known_;
};

}  // namespace culprit
