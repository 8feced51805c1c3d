// Every block that a recording's programs have had at one address, or around it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/handle_report.h"
#include "analysis/report_stack.h"
#include "analysis/stack_symbols.h"
#include "base/result.h"
#include "model/trace.h"

namespace culprit {

enum class BlockEnd : uint8_t {
  alive,     // at the end of the recording, or of its process
  released,  // by `released_by`
  exec,      // another program took its process's place
  unseen,    // another block began at its address: its release was not seen
};
std::string_view name_of(BlockEnd end);

// Times are seconds since the recording began.
struct BlockLife {
  ProcessCount process;  // count unused
  uint64_t address = 0, size = 0;
  std::string function;  // of the allocator
  uint32_t tid = 0;
  double made = 0;
  BlockEnd end = BlockEnd::alive;
  double ended = 0;
  std::string released_by;    // "free", "realloc"
  uint32_t released_tid = 0;  // 0: nobody released it
  bool unreachable = false;   // nothing pointed to it any more as its process ended
  ReportStack stack;          // of the allocation
};

struct BlockHistory {
  uint64_t address = 0;          // asked for
  std::vector<BlockLife> lives;  // the newest, in order of allocation
  uint64_t lives_in_all = 0;
  std::vector<MergedLoss> losses;
  bool exact = true;
};

// The `kept` newest lives, at least 1. Fails when replay does.
Result<BlockHistory> build_block_history(Trace& trace, const SymbolLookup& lookup, uint64_t address, size_t kept);

}  // namespace culprit
