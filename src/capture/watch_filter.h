// Which running processes a WatchRequest means, and what the kernel side has to look for in new ones.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "capture/bpf_program.h"
#include "capture/live_recorder.h"

namespace culprit {

// Errors: not_found (no such cgroup), usage (too many, a relative path).
Result<BpfFilter> bpf_filter_of(const WatchRequest& request);

// Of the processes there are now, without culprit itself; ascending.
std::vector<uint32_t> processes_meant(const WatchRequest& request);

}  // namespace culprit
