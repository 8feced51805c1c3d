// Two recordings compared by type and stack. Processes, addresses and even builds may differ: a frame is the same when
// its module has the same build id and the address is the same there, or else when module and function have the same
// names.
#pragma once

#include <string>
#include <vector>

#include "analysis/answer_basis.h"
#include "analysis/life_filter.h"

namespace culprit {

struct RecordingDiffOptions {
  LifeFilter before, after;  // `lives` does not matter
  bool all = false;          // also what did not change
  size_t top = 0;            // keep the so many rows that changed most; 0: all
};

enum class StackChange : uint8_t { appeared, grew, shrank, went, same };
inline constexpr size_t stack_change_count = 5;
std::string_view name_of(StackChange change);  // "new", "grew", "shrank", "went", "same"

struct DiffSide {
  uint64_t count = 0;    // outstanding
  uint64_t created = 0;  // by that stack in all
};

struct DiffRow {
  StackChange change = StackChange::same;
  std::string type;
  DiffSide before, after;
  ReportStack stack;  // creating; of the recording after, if it is there
  int64_t growth() const { return static_cast<int64_t>(after.count) - static_cast<int64_t>(before.count); }
};

struct RecordingDiff {
  AnswerBasis before, after;
  std::vector<MergedLoss> losses;             // of both
  std::vector<DiffRow> rows;                  // what grew most first, what shrank most last
  uint64_t rows_hidden = 0;                   // left out by `top`
  uint64_t rows_by[stack_change_count] = {};  // hidden ones, too; index: StackChange
  DiffSide total_before, total_after;
  std::vector<std::string> modules_by_name;  // files of both whose build ids differ: compared by names
};

// Counts handles that a process made itself (open, duplicate, receive).
Result<RecordingDiff> diff_recordings(Trace& before, Trace& after, const SymbolLookup& lookup,
                                      const RecordingDiffOptions& options);

}  // namespace culprit
