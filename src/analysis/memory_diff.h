// What has changed in the memory that is left, by stack: between two recordings, or two moments of one.
#pragma once

#include <string>
#include <vector>

#include "analysis/memory_ledger.h"
#include "analysis/recording_diff.h"
#include "analysis/stack_symbols.h"

namespace culprit {

// One of the two that are compared: a recording as if it had ended at `to`; only allocations made since `from` count.
struct MemoryMoment {
  Trace& trace;
  Time from = INT64_MIN, to = INT64_MAX;
};

struct MemoryDiffOptions {
  RecordedMemory kind = RecordedMemory::blocks;
  bool all = false;  // also what did not change
  size_t top = 0;    // keep the so many rows that changed most; 0: all
};

struct MemoryDiffSide {
  std::string command, recorded_by, machine;
  int64_t wall_clock_ns = 0;
  bool complete = true;
  double duration = 0;
  double from = 0, to = 0;       // seconds since the recording began
  BlockCount outstanding, made;  // at `to`; up to then
};

struct MemoryDiffRow {
  StackChange change = StackChange::same;
  BlockCount before, after;  // outstanding
  uint64_t made_before = 0, made_after = 0;
  ReportStack stack;  // of the recording after, if it is there
  int64_t growth() const { return static_cast<int64_t>(after.bytes) - static_cast<int64_t>(before.bytes); }
};

struct MemoryDiff {
  RecordedMemory kind = RecordedMemory::blocks;
  MemoryDiffSide before, after;
  std::vector<MemoryDiffRow> rows;            // what grew by most bytes first, what shrank most last
  uint64_t rows_hidden = 0;                   // left out by `top`
  uint64_t rows_by[stack_change_count] = {};  // hidden ones, too; index: StackChange
  std::vector<std::string> modules_by_name;   // files of both whose build ids differ: compared by names
  std::vector<MergedLoss> losses;             // of both
  bool exact = true;
};

// Fails when replay does.
Result<MemoryDiff> diff_memory(const MemoryMoment& before, const MemoryMoment& after, const SymbolLookup& lookup,
                               const MemoryDiffOptions& options);

}  // namespace culprit
