#include "analysis/growth.h"

#include <gtest/gtest.h>

namespace culprit {
namespace {

constexpr Time second = 1'000'000'000;

TEST(TimeSeries, KeepsAllCountsHoweverLongItGrows) {
  TimeSeries series;
  for (int i = 0; i < 1000; ++i) series.add(5 * second + i * second);
  EXPECT_EQ(series.total(), 1000);
  uint64_t sum = 0;
  for (size_t i = 0; i < series.used(); ++i) sum += series.at(i);
  EXPECT_EQ(sum, 1000);
  EXPECT_GT(series.used(), TimeSeries::bucket_count / 2);
  EXPECT_EQ(series.start(), 5 * second);
}

TEST(TimeSeries, TakesTimesInAnyOrder) {
  TimeSeries up, down;
  for (int i = 0; i < 100; ++i) up.add(i * second);
  for (int i = 100; i-- > 0;) down.add(i * second);
  const Growth a = growth_of(up), b = growth_of(down);
  EXPECT_EQ(b.count, 100);
  EXPECT_EQ(a.spread, b.spread);
  EXPECT_LE(down.start(), 0);
}

TEST(TimeSeries, SpansTheWholeRangeOfTimes) {
  TimeSeries series;
  series.add(Time{1} << 60);
  series.add(0);
  series.extend((Time{1} << 61) - 1);
  EXPECT_EQ(series.total(), 2);
  EXPECT_EQ(growth_of(series).count, 2);
}

TEST(Growth, ASteadySeriesFillsAllSegmentsEvenly) {
  TimeSeries series;
  for (int i = 0; i < 1000; ++i) series.add(second + i * second / 100);
  const Growth growth = growth_of(series);
  EXPECT_EQ(growth.spread, 1);
  EXPECT_LT(growth.largest_segment, 0.2);
  EXPECT_NEAR(growth.rate, 100, 5);
  EXPECT_NEAR(growth.tail, 0.25, 0.05);
}

TEST(Growth, ABurstAtTheStartFillsOneSegment) {
  TimeSeries series;
  for (int i = 0; i < 50; ++i) series.add(second + i);
  series.extend(20 * second);
  const Growth growth = growth_of(series);
  EXPECT_EQ(growth.spread, 1.0 / growth_segments);
  EXPECT_EQ(growth.largest_segment, 1);
  EXPECT_EQ(growth.tail, 0);
}

TEST(Growth, NothingIsNothing) {
  EXPECT_EQ(growth_of(TimeSeries()).count, 0);
  EXPECT_EQ(growth_of(TimeSeries()).rate, 0);
}

TEST(DurationHistogram, GivesQuantilesWithinTenPercentOrSo) {
  DurationHistogram histogram;
  for (Time i = 1; i <= 1000; ++i) histogram.add(i * 1'000'000);
  EXPECT_NEAR(static_cast<double>(histogram.quantile(0.5)), 500e6, 60e6);
  EXPECT_NEAR(static_cast<double>(histogram.quantile(0.9)), 900e6, 110e6);
  EXPECT_EQ(histogram.longest(), 1000 * 1'000'000);
  EXPECT_NEAR(static_cast<double>(histogram.longer_than(500'000'000)), 500, 80);
}

TEST(DurationHistogram, TakesWhateverComes) {
  DurationHistogram histogram;
  EXPECT_EQ(histogram.quantile(0.5), 0);
  for (Time duration : {Time{1} << 61, Time{0}, Time{255}, Time{256}, Time{-5}, INT64_MAX}) histogram.add(duration);
  EXPECT_EQ(histogram.count(), 6);
  EXPECT_EQ(histogram.longer_than(1'000'000), 2);
  EXPECT_EQ(histogram.quantile(1), INT64_MAX);
}

}  // namespace
}  // namespace culprit
