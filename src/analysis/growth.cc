#include "analysis/growth.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace culprit {

namespace {

constexpr int octave_bits = 2;  // four buckets to an octave
constexpr Time finest = 256;    // ns; everything shorter is in the first bucket
constexpr size_t last_bucket = (63 - 8) << octave_bits;

}  // namespace

void TimeSeries::halve() {
  for (size_t i = 0; i < bucket_count / 2; ++i) counts_[i] = counts_[2 * i] + counts_[2 * i + 1];
  std::fill(counts_.begin() + bucket_count / 2, counts_.end(), 0);
  used_ = static_cast<uint16_t>((used_ + 1) / 2);
  ++shift_;
}

void TimeSeries::start_at(Time time) {
  size_t missing = 0;
  while ((missing = static_cast<size_t>((start_ - time + bucket_width() - 1) >> shift_)) + used_ > bucket_count)
    halve();
  std::rotate(counts_.begin(), counts_.end() - static_cast<ptrdiff_t>(missing), counts_.end());
  used_ = static_cast<uint16_t>(used_ + missing);
  start_ -= static_cast<Time>(missing) << shift_;
}

size_t TimeSeries::reach(Time time) {
  if (used_ == 0) start_ = time;
  if (time < start_) start_at(time);
  while ((time - start_) >> shift_ >= static_cast<Time>(bucket_count)) halve();
  const auto bucket = static_cast<size_t>((time - start_) >> shift_);
  used_ = std::max(used_, static_cast<uint16_t>(bucket + 1));
  return bucket;
}

Growth growth_of(const TimeSeries& series) {
  Growth growth;
  growth.count = series.total();
  size_t first = 0, end = series.used();
  while (first < end && series.at(first) == 0) ++first;
  if (first == end) return growth;
  size_t last = end - 1;
  while (series.at(last) == 0) --last;
  growth.first = series.start() + static_cast<Time>(first) * series.bucket_width();
  growth.last = series.start() + static_cast<Time>(last + 1) * series.bucket_width();

  const size_t length = end - first;
  const size_t segments = std::min(growth_segments, length);
  std::array<uint64_t, growth_segments> counts{};
  for (size_t i = first; i < end; ++i) counts[(i - first) * segments / length] += series.at(i);
  const auto filled = std::count_if(counts.begin(), counts.end(), [](uint64_t count) { return count != 0; });
  uint64_t tail = 0;
  for (size_t i = first; i < end; ++i) {
    if ((i - first) * 4 >= length * 3) tail += series.at(i);
  }
  const auto total = static_cast<double>(growth.count);
  growth.spread = static_cast<double>(filled) / static_cast<double>(growth_segments);
  growth.largest_segment = static_cast<double>(*std::max_element(counts.begin(), counts.end())) / total;
  growth.tail = static_cast<double>(tail) / total;
  growth.rate = total / (static_cast<double>(growth.last - growth.first) / 1e9);
  return growth;
}

size_t DurationHistogram::bucket_of(Time duration) {
  if (duration < finest) return 0;
  const auto value = static_cast<uint64_t>(duration);
  const int octave = std::bit_width(value) - 1;
  const auto within = (value >> (octave - octave_bits)) & ((1 << octave_bits) - 1);
  return 1 + ((static_cast<size_t>(octave) - 8) << octave_bits) + within;
}

Time DurationHistogram::upper_bound(size_t bucket) {
  if (bucket == 0) return finest;
  if (bucket >= last_bucket) return INT64_MAX;
  const size_t octave = 8 + ((bucket - 1) >> octave_bits), within = (bucket - 1) & ((1 << octave_bits) - 1);
  return static_cast<Time>((within + 1 + (size_t{1} << octave_bits)) << (octave - octave_bits));
}

void DurationHistogram::add(Time duration) {
  const size_t bucket = bucket_of(duration);
  if (counts_.empty()) {
    first_ = bucket;
    counts_.resize(1);
  } else if (bucket < first_) {
    counts_.insert(counts_.begin(), first_ - bucket, 0);
    first_ = bucket;
  } else if (bucket - first_ >= counts_.size()) {
    counts_.resize(bucket - first_ + 1);
  }
  ++counts_[bucket - first_];
  ++count_;
  longest_ = std::max(longest_, duration);
}

Time DurationHistogram::quantile(double share) const {
  if (share >= 1) return longest_;
  const auto wanted = static_cast<uint64_t>(std::ceil(share * static_cast<double>(count_)));
  uint64_t below = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    below += counts_[i];
    if (below >= std::max<uint64_t>(wanted, 1)) {
      // The middle of the bucket: it errs by at most half a bucket.
      const Time high = upper_bound(first_ + i), low = first_ + i == 0 ? 0 : upper_bound(first_ + i - 1);
      return std::min(longest_, low + (high - low) / 2);
    }
  }
  return longest_;
}

uint64_t DurationHistogram::longer_than(Time duration) const {
  const size_t bucket = bucket_of(duration);
  uint64_t longer = 0;
  for (size_t i = 0; i < counts_.size(); ++i) longer += first_ + i > bucket ? counts_[i] : 0;
  return longer;
}

}  // namespace culprit
