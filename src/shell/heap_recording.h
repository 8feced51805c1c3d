// Questions about the memory of a recording: what `run --heap` and `heap RECORDING` have in common.
#pragma once

#include <string>

#include "analysis/allocation_report.h"
#include "model/trace.h"
#include "shell/command.h"
#include "shell/handle_answer.h"

namespace culprit {

struct MemoryWishes {
  ReportWishes report;  // what reports have in common
  RecordedMemory kind = RecordedMemory::blocks;
  AllocationView view = AllocationView::outstanding;
  AllocationKey by = AllocationKey::stack;
  bool all_left_is_leak = false;  // else only what was unreachable as its process ended
  std::string from, to;           // "10s" since the beginning, or a mark's name; empty: from the beginning, to the end
};
Result<MemoryWishes> parse_memory_wishes(const Arguments& arguments);

// Analyses. The error is one of reading, or of a moment that is not there.
Result<AllocationReport> memory_report(Trace& trace, const MemoryWishes& wishes, const AnswerPlace& place);
// Analyses, prints. The error is one of reading, of writing, or of a moment that is not there.
Result<AllocationReport> answer_memory(Trace& trace, const MemoryWishes& wishes, const AnswerPlace& place);

// --block: all blocks that the programs have had at an address. Analyses, prints.
Ending answer_block(Trace& trace, const Arguments& arguments, const ReportWishes& wishes, const Streams& streams);

// What --fail-on-leak asks for, if it does. not_found: that is not known.
Result<bool> has_leak(const AllocationReport& report, const MemoryWishes& wishes);

Ending run_heap_recording(const Arguments& arguments, const Streams& streams);

}  // namespace culprit
