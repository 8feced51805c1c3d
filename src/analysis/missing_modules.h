// The modules of a target whose files are not to be had: without them, frames have no names and no unwind tables.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/module.h"
#include "target/target.h"
#include "unwind/unwinder.h"

namespace culprit {

struct MissingModule {
  Module module;        // path and build id, each empty if not known
  uint64_t start = 0;   // where it was mapped
  std::string why;      // which build id was looked for, and where
  uint64_t stacks = 0;  // that lead through it

  bool operator==(const MissingModule&) const = default;
};

// Those that most stacks lead through first.
std::vector<MissingModule> missing_modules(Target& target, std::span<const WalkedStack> stacks);

}  // namespace culprit
