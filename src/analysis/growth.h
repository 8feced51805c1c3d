// Small statistics on things that happen over time, in bounded memory: is it steady, when did it begin, how fast is it.
// Nothing here knows of handles; heap analyses use it alike.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/ids.h"

namespace culprit {

// Counts in equal buckets of time. They double their width whenever time outgrows them, at either end, so that between
// half and all of them cover what was seen. Times may come in any order, from 0 to 2^61.
class TimeSeries {
 public:
  static constexpr size_t bucket_count = 64;

  void add(Time time) {
    ++counts_[reach(time)];
    ++total_;
  }
  // Time also covers this moment, at which there may be nothing to count.
  void extend(Time time) { reach(time); }

  Time start() const { return start_; }  // of the first bucket
  Time bucket_width() const { return Time{1} << shift_; }
  size_t used() const { return used_; }  // buckets that time has reached
  uint32_t at(size_t bucket) const { return counts_[bucket]; }
  uint64_t total() const { return total_; }

 private:
  size_t reach(Time time);
  void start_at(Time time);
  void halve();

  Time start_ = 0;
  uint64_t total_ = 0;
  uint16_t used_ = 0;
  uint16_t shift_ = 10;  // about 1 us
  std::array<uint32_t, bucket_count> counts_{};
};

// How a series runs, looked at in `segments` equal parts of the time from the first count to the end of the series.
struct Growth {
  uint64_t count = 0;
  Time first = 0, last = 0;    // begin of the first and end of the last bucket that is not empty
  double spread = 0;           // share of the segments that are not empty
  double largest_segment = 0;  // share of all counts in the fullest segment
  double tail = 0;             // share of all counts in the last quarter of the time
  double rate = 0;             // per second, from first to last
};
inline constexpr size_t growth_segments = 8;
Growth growth_of(const TimeSeries& series);

// Durations in logarithmic buckets, four to an octave: quantiles within about 10 %.
class DurationHistogram {
 public:
  void add(Time duration);
  uint64_t count() const { return count_; }
  Time longest() const { return longest_; }
  // The duration below which `share` (0…1) of all are; 0 when empty.
  Time quantile(double share) const;
  // How many were longer than `duration`, within the precision of the buckets.
  uint64_t longer_than(Time duration) const;

 private:
  static size_t bucket_of(Time duration);
  static Time upper_bound(size_t bucket);

  std::vector<uint32_t> counts_;  // of buckets first_ … first_ + size - 1
  size_t first_ = 0;
  uint64_t count_ = 0;
  Time longest_ = 0;
};

}  // namespace culprit
