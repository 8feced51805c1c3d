// The pieces of a HandleReport, each made from what the analysis collected.
#pragma once

#include <vector>

#include "analysis/handle_leaks.h"
#include "analysis/handle_lifetimes.h"
#include "analysis/handle_report.h"
#include "analysis/stack_symbols.h"
#include "analysis/trace_words.h"
#include "analysis/verdict.h"
#include "model/trace.h"

namespace culprit {

// What all pieces are made from. All must outlive it.
struct ReportSource : TraceWords {
  const HandleLifetimes& lifetimes;
  const HandleLeaks& leaks;
  RecordingSpan recording;
};

HandleGroup report_group(const ReportSource& source, const LifeGroup& group, const Opinion& opinion, ReportStack stack);
UnknownHandle report_unknown(const ReportSource& source, const HandleLife& life);
std::vector<TypeTotal> report_types(const ReportSource& source);

// `leak_growth`: net handles per second of each process from groups that leak; index: ProcessId.
std::vector<ProcessReport> report_processes(const ReportSource& source, const std::vector<double>& leak_growth);

}  // namespace culprit
