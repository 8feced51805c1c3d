// What `culprit locks` and the console ask about locks.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "analysis/lock_analysis.h"
#include "analysis/target_stacks.h"
#include "shell/command.h"
#include "symbols/symbol_names.h"
#include "target/target.h"

namespace culprit {

// Names and stacks for an answer about locks, and what the options ask for. Must not move: the helpers point to it.
class LockQuestioner {
 public:
  // `target` must outlive this.
  explicit LockQuestioner(Target& target, SymbolOptions options = {});
  LockQuestioner(const LockQuestioner&) = delete;
  LockQuestioner& operator=(const LockQuestioner&) = delete;

  // With names and stacks; valid as long as this.
  LockHelpers helpers();
  // --address (a number, or the name of a variable), --no-wait, --all and --no-stacks.
  Result<LockReport> ask(const Arguments& arguments);

 private:
  Result<LockQuestion> question(const Arguments& arguments);
  Result<uint64_t> address_of_variable(const std::string& name);
  AddressName name_of(uint64_t address);
  std::string doing(uint32_t tid, const ReportStack& stack);
  std::optional<NamedSymbol> function_at(uint64_t address);
  std::optional<TakenPlace> place_taken(const LockHeld& held);
  // Of threads that stand nothing is stopped; of those that run each for a moment.
  std::vector<ReportStack> stacks_of(std::span<const uint32_t> tids);

  Target& target_;
  SymbolNames names_;
  Symbolizer symbolizer_;
  SymbolLookup lookup_;
  TargetStacks stacks_;
};

}  // namespace culprit
