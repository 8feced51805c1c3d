// How the agent chooses its sample: in whole numbers, but as chance would.
#include "agent/sample_gap.h"

#include <gtest/gtest.h>

#include <cmath>

namespace culprit::agent {
namespace {

TEST(SampleGap, KnowsLogarithms) {
  uint64_t state = 1;
  for (int i = 0; i < 10000; ++i) {
    const uint64_t random = next_random(state) >> (i % 60);
    const double expected = 64 - std::log2(static_cast<double>(random | (random == 0 ? 1 : 0)));
    EXPECT_NEAR(static_cast<double>(minus_log2(random)) / 0x1p32, expected, 1e-8) << random;
  }
  EXPECT_EQ(minus_log2(0), uint64_t{64} << 32);
  EXPECT_EQ(minus_log2(uint64_t{1} << 63), uint64_t{1} << 32);
}

// A fixed seed: the figures are always the same. 6 standard deviations of a right one would still pass.
TEST(SampleGap, SamplesABlockWithTheChanceThatItsSizeMakes) {
  constexpr uint64_t mean = 1000;
  constexpr int draws = 200'000;
  for (uint64_t size : {1u, 10u, 100u, 1000u, 5000u}) {
    uint64_t state = 42;
    int sampled = 0;
    for (int i = 0; i < draws; ++i) sampled += sample_gap(next_random(state), mean) < size ? 1 : 0;
    const double chance = -std::expm1(-static_cast<double>(size) / mean);
    const double deviation = std::sqrt(draws * chance * (1 - chance));
    EXPECT_NEAR(sampled, draws * chance, 6 * deviation) << size;
  }
}

}  // namespace
}  // namespace culprit::agent
