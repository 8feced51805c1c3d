// Everything that happened to one number of a handle table: `!htrace VALUE`.
#pragma once

#include <vector>

#include "analysis/answer_basis.h"
#include "analysis/life_filter.h"

namespace culprit {

struct ValueHistoryOptions {
  int64_t value = 0;
  LifeFilter filter{.lives = Lives::all};
  size_t top = 1000;  // keep the so many newest lives, and the so many newest vain closes; at least 1
};

struct ValueLife {
  ReportHandle handle;
  ReportStack creating_stack, closing_stack;
};

// A close of the number while it was not open: a program that does so closes, sooner or later, somebody else's handle.
struct VainClose {
  double time = 0;
  ProcessCount process;  // count unused
  uint32_t tid = 0;
  ReportStack stack;
};

struct ValueHistory {
  AnswerBasis basis;
  int64_t value = 0;
  std::vector<ValueLife> lives;  // in order of creation
  uint64_t lives_in_all = 0;
  std::vector<VainClose> vain_closes;  // in order of time
  uint64_t vain_closes_in_all = 0;
};

Result<ValueHistory> build_value_history(Trace& trace, const SymbolLookup& lookup, const ValueHistoryOptions& options);

}  // namespace culprit
