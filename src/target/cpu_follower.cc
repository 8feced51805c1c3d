#include "target/cpu_follower.h"

#include <fmt/core.h>

#include "base/syscall.h"
#include "format/procfs.h"

namespace culprit {
namespace {

constexpr Time look_interval = 10'000'000;

}  // namespace

CpuFollower::CpuFollower() { sched_getaffinity(0, sizeof original_, &original_); }
CpuFollower::~CpuFollower() { sched_setaffinity(0, sizeof original_, &original_); }

void CpuFollower::stopped(uint32_t tid, Time now) {
  if (now < next_look_) return;
  next_look_ = now + look_interval;
  auto text = read_whole_file(fmt::format("/proc/{}/stat", tid), 4096);
  auto stat = text ? parse_stat(*text) : std::nullopt;
  if (!stat || stat->processor < 0 || stat->processor == processor_) return;
  if (!CPU_ISSET(static_cast<size_t>(stat->processor), &original_)) return;  // not where the user wants us
  processor_ = stat->processor;
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(static_cast<size_t>(processor_), &only);
  sched_setaffinity(0, sizeof only, &only);
}

}  // namespace culprit
