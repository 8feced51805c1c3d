// Growth over a window of looks.
#include "analysis/trend.h"

#include <gtest/gtest.h>

namespace culprit {
namespace {

constexpr Time second = 1'000'000'000;

TEST(Trend, OfALeakIsItsRateAndSaysWhenTheLimitIsReached) {
  TrendWindow window(60);
  for (int i = 0; i < 10; i++) window.add(i * second, 100 + static_cast<uint64_t>(i) * 5);
  ASSERT_TRUE(window.trend());
  EXPECT_NEAR(window.trend()->per_second, 5, 1e-9);
  EXPECT_TRUE(window.trend()->is_growing());
  EXPECT_NEAR(*window.seconds_until(1145), 200, 1e-6);
}

TEST(Trend, OfASteadyOrJumpingCountIsNoGrowth) {
  TrendWindow steady(60), jumping(60);
  for (int i = 0; i < 10; i++) {
    steady.add(i * second, 100);
    jumping.add(i * second, i % 2 == 0 ? 100 : 200);
  }
  EXPECT_FALSE(steady.trend()->is_growing());
  EXPECT_FALSE(jumping.trend()->is_growing());
  EXPECT_FALSE(jumping.seconds_until(1000));
}

TEST(Trend, NeedsFiveLooksAndForgetsOldOnes) {
  TrendWindow window(5);
  for (int i = 0; i < 4; i++) window.add(i * second, 1);
  EXPECT_FALSE(window.trend());
  for (int i = 4; i < 20; i++) window.add(i * second, static_cast<uint64_t>(i));
  EXPECT_NEAR(window.trend()->per_second, 1, 1e-9);
}

}  // namespace
}  // namespace culprit
