// `culprit run` for programs that no agent can be loaded into: every process of the tree is traced from its first
// instruction on.
#pragma once

#include <functional>
#include <string>

#include "capture/program_examination.h"
#include "capture/recorder.h"

namespace culprit {

// The agent cannot follow it, ptrace can, and it runs as it would alone.
bool wants_ptrace(const ProgramExamination& program);

// As record_run. unsupported: the program cannot be followed this way either.
Result<RunOutcome> record_run_by_ptrace(const RunRequest& request, const std::string& program, TraceTables& tables,
                                        EventSink& sink, const std::function<void()>& tick);

}  // namespace culprit
