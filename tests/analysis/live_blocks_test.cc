#include "analysis/live_blocks.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace culprit {
namespace {

TEST(LiveBlocks, KnowsWhatAnOrdinaryMapKnows) {
  LiveBlocks blocks;
  std::map<uint64_t, uint64_t> expected;
  std::mt19937_64 random(1);  // NOLINT: the same numbers each time
  for (int i = 0; i < 200'000; ++i) {
    const uint64_t address = 0x5000'0000 + 16 * (random() % 5000);
    if (random() % 2 == 0) {
      auto before = blocks.put({.address = address, .size = static_cast<uint64_t>(i)});
      auto known = expected.find(address);
      ASSERT_EQ(before.has_value(), known != expected.end());
      ASSERT_EQ(before ? before->size : 0, before ? known->second : 0);
      expected[address] = static_cast<uint64_t>(i);
    } else {
      auto taken = blocks.take(address);
      auto known = expected.find(address);
      ASSERT_EQ(taken.has_value(), known != expected.end());
      if (!taken) continue;
      ASSERT_EQ(taken->size, known->second);
      expected.erase(known);
    }
    ASSERT_EQ(blocks.size(), expected.size());
  }
  std::map<uint64_t, uint64_t> left;
  blocks.for_each([&](const LiveBlock& block) { left[block.address] = block.size; });
  EXPECT_EQ(left, expected);
}

TEST(LiveBlocks, HasNothingAtAddressZero) {
  LiveBlocks blocks;
  EXPECT_FALSE(blocks.take(0));
  EXPECT_FALSE(blocks.put({.address = 0, .size = 1}));
  EXPECT_EQ(blocks.size(), 0u);
  EXPECT_FALSE(blocks.take(0));
}

}  // namespace
}  // namespace culprit
