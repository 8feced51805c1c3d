#include "analysis/trend.h"

namespace culprit {
namespace {

constexpr size_t fewest_looks = 5;
constexpr double second = 1e9;

}  // namespace

void TrendWindow::add(Time time, uint64_t count) {
  window_.push_back({time, count});
  if (window_.size() > looks_) window_.pop_front();
}

std::optional<Trend> TrendWindow::trend() const {
  if (window_.size() < fewest_looks) return std::nullopt;
  double n = static_cast<double>(window_.size()), mean_time = 0, mean_count = 0;
  auto seconds = [&](const Look& look) { return static_cast<double>(look.time - window_.front().time) / second; };
  for (const Look& look : window_) {
    mean_time += seconds(look) / n;
    mean_count += static_cast<double>(look.count) / n;
  }
  double together = 0, of_time = 0, of_count = 0;
  for (const Look& look : window_) {
    double time = seconds(look) - mean_time, count = static_cast<double>(look.count) - mean_count;
    together += time * count;
    of_time += time * time;
    of_count += count * count;
  }
  if (of_time <= 0) return std::nullopt;
  Trend trend;
  trend.per_second = together / of_time;
  trend.fit = of_count > 0 ? together * together / (of_time * of_count) : 0;
  return trend;
}

std::optional<double> TrendWindow::seconds_until(uint64_t limit) const {
  auto found = trend();
  if (!found || !found->is_growing() || window_.back().count >= limit) return std::nullopt;
  return static_cast<double>(limit - window_.back().count) / found->per_second;
}

}  // namespace culprit
