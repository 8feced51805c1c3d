// What has happened to handles between two moments of one recording: `!htrace -diff`, by type and stack.
#pragma once

#include <string>
#include <vector>

#include "analysis/answer_basis.h"
#include "analysis/life_filter.h"

namespace culprit {

struct HandleDiffOptions {
  LifeFilter filter;  // its `from` and `to` are the moments; `lives` does not matter
  size_t top = 0;     // keep the so many largest groups of each kind; 0: all
};

// Opened since `from`; nothing in the program has closed them up to `to`.
struct OpenedGroup {
  std::string type;
  uint64_t count = 0;    // still open, and:
  uint64_t at_exit = 0;  // of `count`: closed only by the end of their process
  double first_created = 0, last_created = 0;
  HandleExample example;  // the oldest
  ReportStack stack;      // creating
};

// Older than `from`, and changed since.
struct ChangedGroup {
  std::string type;
  uint64_t count = 0;
  HowClosed how = HowClosed::close;
  HandleExample example;
  ReportStack closing_stack;
};

struct HandleDiff {
  AnswerBasis basis;
  std::vector<OpenedGroup> opened;           // most first
  uint64_t opened_groups = 0;                // those beyond `top`, too
  uint64_t made = 0;                         // since `from`, closed or not
  uint64_t still_open = 0;                   // of them, at `to`
  uint64_t at_exit = 0;                      // of them, closed only by the end of their process
  uint64_t closed = 0;                       // of them, in between
  uint64_t inherited = 0;                    // copies of older handles in processes forked in between: not listed
  uint64_t older = 0;                        // open at `from`
  uint64_t older_kept = 0;                   // of them, still open at `to`
  uint64_t older_by[how_closed_count] = {};  // of them, how they went; index: HowClosed
  std::vector<ChangedGroup> changed;         // of older ones; most first; not those that went with their process
  uint64_t changed_groups = 0;
};

Result<HandleDiff> diff_moments(Trace& trace, const SymbolLookup& lookup, const HandleDiffOptions& options);

}  // namespace culprit
