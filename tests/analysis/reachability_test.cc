#include "analysis/reachability.h"

#include <gmock/gmock.h>

#include <array>

namespace culprit {
namespace {

using ::testing::ElementsAre;

// Blocks of 64 bytes, one after the other, whose words can be set; and one page of roots.
class Graph {
 public:
  static constexpr uint64_t start = 0x100000, size = 64;

  explicit Graph(uint32_t count) : bytes_((count + 1) * size) {
    for (uint32_t i = 0; i < count; ++i) table_.add(address(i), size);
    table_.finish();
  }
  static uint64_t address(uint32_t block) { return start + block * size; }
  Graph& point(uint32_t from, uint32_t to, uint64_t offset = 0) {
    const uint64_t value = address(to) + offset;
    std::memcpy(bytes_.data() + from * size + 16, &value, 8);
    return *this;
  }
  Graph& root(uint64_t value) {
    roots_.registers.push_back(value);
    return *this;
  }
  Reachability look() {
    CopiedMemory memory(start, bytes_);
    return find_unreachable(memory, table_, roots_);
  }

 private:
  std::vector<std::byte> bytes_;
  BlockTable table_;
  HeapRoots roots_;
};

TEST(Reachability, FollowsPointersFromRoots) {
  auto found = Graph(4).root(Graph::address(0)).point(0, 2).look();
  EXPECT_THAT(found.reach, ElementsAre(Reach::reachable, Reach::direct, Reach::reachable, Reach::direct));
}

TEST(Reachability, TakesPointersIntoABlockAndTagsForPointersToIt) {
  EXPECT_EQ(Graph(1).root(Graph::address(0) + 40).look().reach[0], Reach::reachable);
  EXPECT_EQ(Graph(1).root(Graph::address(0) + 3).look().reach[0], Reach::reachable);
  EXPECT_EQ(Graph(1).root(Graph::address(0) + 64).look().reach[0], Reach::direct) << "it is behind the block";
  EXPECT_EQ(Graph(1).root(Graph::address(0) - 1).look().reach[0], Reach::direct);
}

TEST(Reachability, TellsWhatOnlyLeakedBlocksPointTo) {
  auto found = Graph(4).point(2, 1).point(1, 0).look();
  EXPECT_THAT(found.reach, ElementsAre(Reach::indirect, Reach::indirect, Reach::direct, Reach::direct));
  ASSERT_EQ(found.direct.size(), 2u);
  EXPECT_EQ(found.direct[0].block, 2u);
  EXPECT_EQ(found.direct[0].blocks, 2u);
  EXPECT_EQ(found.direct[0].bytes, 128u);
  EXPECT_EQ(found.direct[1].blocks, 0u);
  ASSERT_EQ(found.indirect.size(), 2u);
  EXPECT_EQ(found.indirect[0].block, 0u);
  EXPECT_EQ(found.indirect[0].owner, 2u) << "not the one between them";
  EXPECT_EQ(found.indirect[1].owner, 2u);
}

// A process that is killed while it is looked at loses its memory: what only that kept alive is not lost.
TEST(Reachability, SaysHowMuchOfTheRootsCouldNotBeRead) {
  BlockTable blocks;
  blocks.finish();
  std::vector<std::byte> bytes(8192);
  CopiedMemory memory(0x10000, bytes);
  HeapRoots roots{.ranges = {{0x10000, 0x14000}}};
  EXPECT_EQ(ReachabilitySearch(blocks).take_roots(memory, roots), 8192u);
  roots.ranges = {{0x10000, 0x12000}};
  EXPECT_EQ(ReachabilitySearch(blocks).take_roots(memory, roots), 0u);
}

TEST(Reachability, FindsARingToWhichNothingElsePoints) {
  auto found = Graph(4).point(0, 1).point(1, 2).point(2, 0).root(Graph::address(3)).look();
  EXPECT_THAT(found.reach, ElementsAre(Reach::direct, Reach::indirect, Reach::indirect, Reach::reachable));
  ASSERT_EQ(found.direct.size(), 1u);
  EXPECT_EQ(found.direct[0].blocks, 2u);
}

TEST(Reachability, DoesNotTakeABlockThatPointsToItselfForReferenced) {
  EXPECT_THAT(Graph(1).point(0, 0).look().reach, ElementsAre(Reach::direct));
}

TEST(BlockTable, FindsTheBlockThatHoldsAnAddress) {
  BlockTable table;
  // Close together, far apart, large, and not in order.
  std::vector<BlockTable::Block> blocks;
  for (uint64_t i = 0; i < 2000; ++i) blocks.push_back({0x555500000010 + i * 48, 40});
  for (uint64_t i = 0; i < 5; ++i) blocks.push_back({0x7f0000000010 + i * (uint64_t{1} << 30), 5 << 20});
  blocks.push_back({0x555500100010, 3 << 20});
  for (const BlockTable::Block& block : blocks) table.add(block.address, block.size);
  table.finish();
  ASSERT_EQ(table.size(), blocks.size());
  for (const BlockTable::Block& block : blocks) {
    for (uint64_t inside : {block.address, block.address + 17, block.end() - 1}) {
      const uint32_t found = table.holding(inside);
      ASSERT_NE(found, BlockTable::none) << std::hex << inside;
      EXPECT_EQ(table[found].address, block.address);
    }
    EXPECT_EQ(table.holding(block.end()), BlockTable::none);
    EXPECT_EQ(table.holding(block.address - 1), BlockTable::none);
  }
  EXPECT_EQ(table.holding(0), BlockTable::none);
  EXPECT_EQ(table.holding(UINT64_MAX), BlockTable::none);
}

TEST(BlockTable, OfNothingHoldsNothing) {
  BlockTable table;
  table.finish();
  EXPECT_EQ(table.holding(0x1000), BlockTable::none);
}

}  // namespace
}  // namespace culprit
