// From a recording to the report that the user sees: what `run` and `handles` have in common.
#pragma once

#include <string>

#include "analysis/handle_report.h"
#include "analysis/suppressions.h"
#include "base/fd.h"
#include "model/trace.h"
#include "shell/command.h"
#include "symbols/symbolizer.h"

namespace culprit {

struct Crashes;

// The report options of a command line, checked and opened, so that nothing can be wrong with them any more when a
// program has run for hours.
struct ReportWishes {
  bool json = false, fail_on_leak = false, all = false, source = true;
  size_t top = 10;  // 0: no limit
  Time after = 0;
  Suppressions suppressions;
  Fd report_file;  // of --report
};
Result<ReportWishes> parse_report_wishes(const Arguments& arguments);

struct AnswerPlace {
  int report_fd = 1;      // unless --report says otherwise
  int progress_fd = 2;    // a line there while symbols are looked up, if it is a terminal
  std::string target;     // what was asked: the recording's path or the command
  std::string recording;  // kept or read; empty: there is none
  SymbolOptions symbols = {};
  Crashes* crashes = nullptr;  // of the program that was run: told before the rest
};

// Analyses, prints. The error is one of reading or of writing.
Result<HandleReport> answer_handles(Trace& trace, const ReportWishes& wishes, const AnswerPlace& place);

}  // namespace culprit
