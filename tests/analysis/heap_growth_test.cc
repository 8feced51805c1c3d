#include "analysis/heap_growth.h"

#include <gtest/gtest.h>

namespace culprit::test {
namespace {

HeapReport look(std::vector<HeapGroup> groups) {
  HeapReport report;
  report.groups = std::move(groups);
  return report;
}

HeapGroup of_size(uint64_t size, uint64_t blocks) { return {.size = size, .count = {blocks, blocks * size}}; }

TEST(HeapGrowth, SuspectsTheSizeThatMostOfItIsOf) {
  const HeapGrowth growth = growth_between(look({of_size(24, 100), of_size(42088, 5), of_size(56, 9)}),
                                           look({of_size(24, 110), of_size(42088, 25), of_size(56, 3)}), 5);
  ASSERT_NE(growth.suspect(), nullptr);
  EXPECT_EQ(growth.suspect()->size, 42088u);
  EXPECT_EQ(growth.suspect()->more_blocks(), 20u);
  EXPECT_EQ(growth.more_bytes, 20u * 42088 + 10 * 24) << "what shrank is not set against it";
  EXPECT_EQ(growth.sizes.size(), 2u);
}

TEST(HeapGrowth, CountsASizeThatWasNotThereBefore) {
  const HeapGrowth growth = growth_between(look({}), look({of_size(1000, 3)}), 1);
  ASSERT_NE(growth.suspect(), nullptr);
  EXPECT_EQ(growth.suspect()->before.blocks, 0u);
}

TEST(HeapGrowth, SuspectsNobodyWhereItIsSpreadOrNextToNothing) {
  EXPECT_EQ(growth_between(look({}), look({of_size(100, 10), of_size(104, 10), of_size(96, 10)}), 1).suspect(),
            nullptr);
  EXPECT_EQ(growth_between(look({}), look({of_size(1000, 2)}), 1).suspect(), nullptr) << "two blocks are chance";
  const HeapGrowth none = growth_between(look({of_size(1000, 3)}), look({of_size(1000, 3)}), 1);
  EXPECT_TRUE(none.sizes.empty());
  EXPECT_EQ(none.suspect(), nullptr);
}

TEST(AskedSizes, AreAllThatLeadToBlocksOfThatSize) {
  const BlockSizes large = asked_sizes(42088), small = asked_sizes(24), mapped = asked_sizes(200 * 4096 - 16);
  EXPECT_EQ(large.least, 42073u);
  EXPECT_EQ(large.most, 42088u);
  EXPECT_EQ(small.least, 0u);
  EXPECT_EQ(small.most, 24u);
  EXPECT_EQ(mapped.most - mapped.least, 4095u) << "a mapping of its own ends with a page";
}

}  // namespace
}  // namespace culprit::test
