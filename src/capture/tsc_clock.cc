#include "capture/tsc_clock.h"

#include <x86intrin.h>

#include <algorithm>

#include "base/syscall.h"

namespace culprit {
namespace {
constexpr size_t segment_limit = 1024;
constexpr double catch_up_ns = 5e8;  // an error is worked off over this time
// Rings are emptied for a while after a reading, and their threads go on writing: some seconds of any processor.
constexpr uint64_t future_limit = uint64_t{1} << 35;
}  // namespace

ClockReading read_clock() {
  ClockReading best;
  uint64_t best_width = UINT64_MAX;
  for (int i = 0; i < 4; i++) {
    uint64_t before = __rdtsc();
    Time time = monotonic_now();
    uint64_t after = __rdtsc();
    if (after - before >= best_width) continue;
    best_width = after - before;
    best = {before + best_width / 2, time};
  }
  return best;
}

TscClock::TscClock(const ClockReading& first, const ClockReading& second) : first_(first), latest_tsc_(second.tsc) {
  double slope = 1;
  if (second.tsc > first.tsc && second.time > first.time) {
    slope = static_cast<double>(second.time - first.time) / static_cast<double>(second.tsc - first.tsc);
  }
  segments_.push_back({first.tsc, first.time, slope});
}

Time TscClock::on(const Segment& segment, uint64_t tsc) const {
  return segment.time + static_cast<Time>(static_cast<double>(tsc - segment.tsc) * segment.slope);
}

void TscClock::refine(const ClockReading& now) {
  if (now.tsc <= latest_tsc_ || now.time <= first_.time) return;
  latest_tsc_ = now.tsc;
  const Segment& last = segments_.back();
  double ticks_since_segment = static_cast<double>(now.tsc - last.tsc);
  if (ticks_since_segment * last.slope < 2e7) return;  // every 20 ms is often enough
  Time believed = on(last, now.tsc);
  double slope = static_cast<double>(now.time - first_.time) / static_cast<double>(now.tsc - first_.tsc);
  double correction = static_cast<double>(now.time - believed) / catch_up_ns;
  segments_.push_back({now.tsc, believed, slope * (1 + std::clamp(correction, -0.5, 0.5))});
  if (segments_.size() > segment_limit) segments_.pop_front();
}

Time TscClock::time_of(uint64_t tsc) const {
  tsc = std::min(tsc, latest_tsc_ + future_limit);
  for (auto segment = segments_.rbegin(); segment != segments_.rend(); ++segment) {
    if (tsc >= segment->tsc) return on(*segment, tsc);
  }
  return segments_.front().time;
}

std::string why_clock_is_unreliable(const std::string& cpuinfo, const std::string& clocksource) {
  for (std::string_view flag : {"constant_tsc", "nonstop_tsc"}) {
    if (cpuinfo.find(flag) == std::string::npos) return "the processor lacks " + std::string(flag);
  }
  std::string_view name(clocksource);
  while (!name.empty() && (name.back() == '\n' || name.back() == ' ')) name.remove_suffix(1);
  for (std::string_view good : {"tsc", "kvm-clock", "hyperv_clocksource_tsc_page"}) {
    if (name == good) return "";
  }
  return "the kernel does not trust the time stamp counter: its clock source is " + std::string(name);
}

std::string why_clock_is_unreliable() {
  auto cpuinfo = read_whole_file("/proc/cpuinfo", size_t{64} << 10);  // the first processor says it
  auto source = read_whole_file("/sys/devices/system/clocksource/clocksource0/current_clocksource", 4096);
  if (!cpuinfo || !source) return "";  // nothing known against it
  return why_clock_is_unreliable(*cpuinfo, *source);
}

}  // namespace culprit
