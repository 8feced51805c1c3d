// What every answer about a recording says of itself.
#pragma once

#include <string>
#include <vector>

#include "analysis/handle_report.h"
#include "analysis/life_filter.h"
#include "analysis/life_replay.h"
#include "analysis/trace_words.h"

namespace culprit {

struct AnswerBasis {
  std::string command, recorded_by, machine;
  int64_t wall_clock_ns = 0;  // when the recording began
  double duration = 0;
  bool complete = true;     // the recorder finished
  uint64_t processes = 0;   // seen in it
  double from = 0, to = 0;  // the window looked at
  LifeFilter filter;        // asked for; its times are the trace's
  std::vector<MergedLoss> losses;
  bool exact = true;
};

// `nameless`: frames shown without a function. `own`: losses of the answer's own making.
AnswerBasis basis_of(const Trace& trace, const LifeReplay& replay, const LifeFilter& filter, uint64_t nameless,
                     std::vector<Loss> own = {});

}  // namespace culprit
