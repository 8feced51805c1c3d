// `culprit locks`: looks at a target twice, and judges what stood still.
//
// Why a cycle that is reported of a live process is one, although nothing was stopped: each of its threads is seen to
// stand in its wait, then all their locks' owners are read, then each thread is seen not to have run since (its number
// of context switches is the same). So there was a moment at which all of them waited, and each lock was held by one of
// them: only its holder, which stood, could have changed that.
#pragma once

#include <functional>
#include <optional>
#include <span>

#include "analysis/lock_report.h"
#include "target/target.h"

namespace culprit {

struct LockQuestion {
  bool single_look = false;
  bool all_stacks = false;          // of every wait, not only of those in verdicts
  std::optional<uint64_t> address;  // explain this lock
  Time between = 50'000'000;        // the looks
};

struct AddressName {
  std::string name;    // "g_mutex", "pool+0x40"; empty: unknown
  std::string module;  // path
};

struct LockHeld {
  uint64_t lock = 0;  // its address
  uint32_t owner = 0;
  bool is_held_twice = false;  // or its owner waits for it
};

// What makes an answer more than numbers. Empty functions: there is no such help, and the verdicts are the same.
struct LockHelpers {
  // Stacks of threads of the target, in their order, with names.
  std::function<std::vector<ReportStack>(std::span<const uint32_t> tids)> stacks;
  // What a thread that waits for no lock does, in words: "sleeps", "reads from fd 5".
  std::function<std::string(uint32_t tid, const ReportStack& stack)> doing;
  std::function<AddressName(uint64_t address)> name;
  // Where a thread of the target took a lock.
  std::function<std::optional<TakenPlace>(const LockHeld& held)> place_taken;
};

Result<LockReport> examine_locks(Target& target, const LockQuestion& question, const LockHelpers& helpers);

}  // namespace culprit
