// The ids of a trace as the words of a report.
#pragma once

#include <string>
#include <vector>

#include "analysis/handle_report.h"
#include "model/trace.h"

namespace culprit {

// `tables` must outlive it.
struct TraceWords {
  const TraceTables& tables;
  Time start = 0;  // of the recording

  double seconds(Time time) const { return static_cast<double>(time - start) / 1e9; }
  std::string text(StringId id) const;
  ProcessCount process(ProcessId id, uint64_t count = 0) const;
};

HandleExample example_of(const TraceWords& words, const HandleLife& life);
ReportHandle report_handle(const TraceWords& words, const HandleLife& life);

// One entry per kind, in order of kinds.
std::vector<MergedLoss> merge_losses(const TraceWords& words, const std::vector<Loss>& losses);
bool is_exact(const std::vector<MergedLoss>& losses);
std::vector<MergedLoss> losses_of_both(std::vector<MergedLoss> losses, const std::vector<MergedLoss>& others);

// Frames of code in a file that nothing names: counted as LossKind::symbols_missing.
uint64_t nameless_frames(const ReportStack& stack);

}  // namespace culprit
