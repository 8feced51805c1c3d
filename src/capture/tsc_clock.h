// Time-stamp counter to CLOCK_MONOTONIC. Agents stamp with rdtsc because it costs 9 ns where clock_gettime costs 21.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "model/clock.h"

namespace culprit {

struct ClockReading {
  uint64_t tsc = 0;
  Time time = 0;
};
ClockReading read_clock();

// A continuous, monotone, piecewise linear map. The past never changes: refine() bends only what lies after its
// reading.
class TscClock {
 public:
  // Two readings at least half a millisecond apart give the first slope.
  TscClock(const ClockReading& first, const ClockReading& second);

  // Tells the clock what time it is now. Readings that do not lie after the last one are ignored.
  void refine(const ClockReading& now);

  // A stamp from before the clock began is the beginning; one from after the last reading goes on with the last slope,
  // for some seconds. The same stamp gives the same time for ever.
  Time time_of(uint64_t tsc) const;

 private:
  struct Segment {
    uint64_t tsc;
    Time time;
    double slope;  // ns per tick
  };
  Time on(const Segment& segment, uint64_t tsc) const;

  ClockReading first_;
  uint64_t latest_tsc_;
  std::deque<Segment> segments_;
};

// Empty when time stamps of all CPUs can be compared, else the sentence that says why not.
std::string why_clock_is_unreliable(const std::string& cpuinfo, const std::string& clocksource);
std::string why_clock_is_unreliable();

}  // namespace culprit
