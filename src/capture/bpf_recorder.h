// Records handles with the kernel's help: one process, some, or the whole machine, without touching any.
#pragma once

#include <memory>

#include "capture/live_recorder.h"

namespace culprit {

// Errors: no_access (names the capability), unsupported (a kernel without BTF, or one that refuses), usage, not_found.
Result<std::unique_ptr<LiveRecorder>> start_bpf_recorder(const WatchRequest& request, TraceTables& tables,
                                                         EventSink& sink);

}  // namespace culprit
