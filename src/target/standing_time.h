// How long threads of live processes have not run.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace culprit {

struct StandingThread {
  uint32_t pid = 0, tid = 0;
};

// In seconds, in their order, for threads that stand: at least so long, as the time that interrupts and the hypervisor
// took from the processor is left out. Nothing: the kernel does not tell (CONFIG_SCHED_DEBUG), or the thread ran on a
// processor that we may not use.
std::vector<std::optional<double>> standing_times(std::span<const StandingThread> threads);

}  // namespace culprit
