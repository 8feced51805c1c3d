// Whether a count grows, by regression over a window of looks at it.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "model/ids.h"

namespace culprit {

struct Trend {
  double per_second = 0;  // slope of the regression line
  double fit = 0;         // 0…1: which share of the changes the line explains
  // Steady enough, and upwards, to be worth extrapolating.
  bool is_growing() const { return per_second > 0 && fit > 0.6; }
};

class TrendWindow {
 public:
  explicit TrendWindow(size_t looks) : looks_(looks) {}

  void add(Time time, uint64_t count);
  // Nothing before the fifth look.
  std::optional<Trend> trend() const;
  // Seconds until `limit` is reached if it goes on like this; nothing if it does not grow.
  std::optional<double> seconds_until(uint64_t limit) const;

 private:
  struct Look {
    Time time;
    uint64_t count;
  };
  size_t looks_;
  std::deque<Look> window_;
};

}  // namespace culprit
