// From a recording to the report, in one call, for `culprit run` and `culprit handles` alike.
#pragma once

#include "analysis/handle_report.h"
#include "analysis/stack_symbols.h"
#include "analysis/suppressions.h"
#include "base/result.h"
#include "model/trace.h"

namespace culprit {

struct HandleReportOptions {
  Time after = 0;                  // ns from the start of the recording: handles made before are ignored
  size_t top = 0;                  // show only that many groups; 0: all
  bool all = false;                // also groups with nothing outstanding
  bool handles = false;            // one by one
  size_t handles_limit = 100'000;  // at most that many of them
  const Suppressions* suppressions = nullptr;
};

// Replays the recording once. Fails only when replay does; damage that reading can step over is in the losses.
Result<HandleReport> build_handle_report(Trace& trace, const SymbolLookup& lookup, const HandleReportOptions& options);

}  // namespace culprit
