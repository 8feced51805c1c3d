#include <gtest/gtest.h>

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

}  // namespace
}  // namespace culprit
