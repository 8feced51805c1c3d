#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "model/trace.h"

namespace culprit {
namespace {

TEST(TraceTables, RefuseNewStringsBeyondTheirMemoryAndKeepTheOldOnes) {
  TraceTables tables;
  StringId known = tables.intern("openat");
  tables.limit_memory(200'000);
  for (int i = 0; i < 10'000; ++i) tables.intern("/tmp/file" + std::to_string(i));
  EXPECT_LE(tables.strings.memory(), 100'000u);
  EXPECT_GT(tables.strings.refused(), 8000u);
  EXPECT_EQ(tables.intern("openat"), known);
  EXPECT_EQ(tables.intern("one more"), StringId::none);
}

TEST(TraceTables, NeverPassOffAPartOfAStackForTheWhole) {
  TraceTables tables;
  tables.limit_memory(100'000);
  StackId main = tables.stacks.intern(StackId::none, {ModuleId::none, 1, FoundBy::registers});
  for (uint64_t i = 0; i < 10'000; ++i) tables.stacks.intern(main, {ModuleId::none, 100 + i, FoundBy::registers});
  EXPECT_GT(tables.stacks.refused(), 9000u);
  StackId refused = tables.stacks.intern(main, {ModuleId::none, 50, FoundBy::registers});
  EXPECT_TRUE(tables.stacks.truncated(refused));
  EXPECT_EQ(tables.stacks.intern(StackId::none, {ModuleId::none, 1, FoundBy::registers}), main);
}

// Many callees of one caller, long chains, and both while the index grows.
TEST(TraceTables, KnowEachStackAgainHoweverTheyBranch) {
  TraceTables tables;
  auto all_stacks = [&] {
    std::vector<StackId> ids;
    StackId chain = StackId::none;
    for (uint64_t depth = 0; depth < 2000; ++depth) {
      chain = tables.stacks.intern(chain, {ModuleId::none, 7, FoundBy::unwind_table});
      ids.push_back(chain);
      const uint64_t callees = depth % 500 == 0 ? 3000 : depth % 5;
      for (uint64_t i = 0; i < callees; ++i)
        ids.push_back(tables.stacks.intern(chain, {ModuleId::none, 1000 + i, FoundBy::unwind_table}));
      if (depth % 7 == 0) ids.push_back(tables.stacks.intern(chain, {ModuleId::none, 7, FoundBy::frame_pointer}));
    }
    return ids;
  };
  const std::vector<StackId> ids = all_stacks();
  EXPECT_EQ(std::set<StackId>(ids.begin(), ids.end()).size(), ids.size());
  EXPECT_EQ(all_stacks(), ids);
  EXPECT_EQ(tables.stacks.size(), ids.size() + StackTable::first_id);
  EXPECT_EQ(tables.stacks.at(ids[1]), (StackTable::Node{ids[0], {ModuleId::none, 1000, FoundBy::unwind_table}}));
}

}  // namespace
}  // namespace culprit
