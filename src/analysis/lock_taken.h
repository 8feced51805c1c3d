// Where a thread took a lock that it holds. Nothing records that, but there are traces: a function that has taken a
// lock and keeps it has mostly not returned, so that it stands on its owner's stack.
#pragma once

#include <functional>
#include <optional>

#include "analysis/lock_report.h"
#include "analysis/target_stacks.h"
#include "symbols/symbol_names.h"

namespace culprit {

// The function whose bytes hold an absolute address, its own address absolute, too; nothing: it has no name.
using FunctionAt = std::function<std::optional<NamedSymbol>(uint64_t address)>;

// Of an owner that stands, or stood when its stack was copied.
struct LockOwner {
  const WalkedStack& stack;
  MemoryReader& stack_memory;
  bool has_it_twice = false;  // or waits for it itself: then the outermost function that speaks of it is meant
};

// Nothing: no function on the stack can be shown to have to do with the lock.
std::optional<TakenPlace> place_where_taken(uint64_t lock, const LockOwner& owner, Target& target, TargetStacks& stacks,
                                            const FunctionAt& function_at);

}  // namespace culprit
