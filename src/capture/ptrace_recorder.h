// Records the handles of one process, and of those it makes, by stopping it at every system call: for programs that no
// agent can be loaded into, and users who may not use BPF. Costs some ten microseconds a system call.
//
// System calls are stopped by PTRACE_SYSCALL only. A seccomp filter that stops just those that matter (RET_TRACE) would
// spare the others, but it stays when culprit dies, and then makes these calls fail: docs/decisions says more.
//
// Limits: 32-bit programs and programs with rights of their own are let go when they are executed; a traced process
// cannot be traced by another (one that asks for it, by PTRACE_TRACEME, is let go).
#pragma once

#include <memory>

#include "capture/live_recorder.h"

namespace culprit {

// `request` must name one process. Errors: gone, no_access (names the tracer, capability or setting), unsupported.
Result<std::unique_ptr<LiveRecorder>> start_ptrace_recorder(const WatchRequest& request, TraceTables& tables,
                                                            EventSink& sink);

}  // namespace culprit
