// The pieces of a HandleReport, each made from what the analysis collected.
#pragma once

#include <vector>

#include "analysis/handle_leaks.h"
#include "analysis/handle_lifetimes.h"
#include "analysis/handle_report.h"
#include "analysis/stack_symbols.h"
#include "analysis/verdict.h"
#include "model/trace.h"

namespace culprit {

// What all pieces are made from. All must outlive it.
struct ReportSource {
  const TraceTables& tables;
  const HandleLifetimes& lifetimes;
  const HandleLeaks& leaks;
  RecordingSpan recording;

  double seconds(Time time) const { return static_cast<double>(time - recording.start) / 1e9; }
  std::string text(StringId id) const;
  ProcessCount process(ProcessId id, uint64_t count = 0) const;
};

HandleGroup report_group(const ReportSource& source, const LifeGroup& group, const Opinion& opinion, ReportStack stack);
ReportHandle report_handle(const ReportSource& source, const HandleLife& life);
UnknownHandle report_unknown(const ReportSource& source, const HandleLife& life);
std::vector<TypeTotal> report_types(const ReportSource& source);

// `leak_growth`: net handles per second of each process from groups that leak; index: ProcessId.
std::vector<ProcessReport> report_processes(const ReportSource& source, const std::vector<double>& leak_growth);

// One entry per kind, in order of kinds.
std::vector<MergedLoss> merge_losses(const ReportSource& source, const std::vector<Loss>& losses);

}  // namespace culprit
