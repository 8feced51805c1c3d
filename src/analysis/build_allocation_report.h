// From a recording to the report on its memory, in one pass.
#pragma once

#include "analysis/allocation_report.h"
#include "analysis/stack_symbols.h"
#include "analysis/suppressions.h"
#include "base/result.h"
#include "model/trace.h"

namespace culprit {

struct AllocationReportOptions {
  RecordedMemory kind = RecordedMemory::blocks;
  AllocationView view = AllocationView::outstanding;
  AllocationKey by = AllocationKey::stack;
  size_t top = 0;                         // show only that many groups; 0: all
  Time from = INT64_MIN, to = INT64_MAX;  // of the trace: allocations made since; as if it had ended then
  const Suppressions* suppressions = nullptr;
  std::vector<Loss> losses;  // that who asks knows of
};

// Fails when replay does.
Result<AllocationReport> build_allocation_report(Trace& trace, const SymbolLookup& lookup,
                                                 const AllocationReportOptions& options);

}  // namespace culprit
