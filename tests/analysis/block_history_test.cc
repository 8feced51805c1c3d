// The blocks that lay at one address, worked out on paper, and compared.
#include "analysis/block_history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/trace_builder.h"

namespace culprit {
namespace {

using ::culprit::testing::TraceBuilder;

BlockHistory history_of(TraceBuilder& trace, uint64_t address, size_t kept = 100) {
  auto nameless = [](std::span<const SymbolRequest> requests) { return std::vector<SymbolizedFrame>(requests.size()); };
  auto history = build_block_history(trace, nameless, address, kept);
  EXPECT_TRUE(history);
  return *history;
}

TEST(BlockHistory, HasEveryBlockAroundTheAddressAndHowItWent) {
  TraceBuilder trace;
  ProcessId process = trace.process(10, "program");
  StackId stack = trace.stack("use@program main@program");
  trace.launch(0, process)
      .allocate(1, process, 0x100, 0x20, stack, 7)
      .release(2, process, 0x100, 8)
      .allocate(3, process, 0xf0, 0x10, stack)   // ends just before it
      .allocate(4, process, 0x110, 0x10, stack)  // holds it
      .allocate(5, process, 0x110, 0x20, stack)  // its release was not seen
      .exec(6, process)
      .allocate(7, process, 0x118, 0, stack)
      .unreachable(8, process, {{0x118, false}})
      .exit(9, process)
      .ends(10);
  BlockHistory history = history_of(trace, 0x118);
  ASSERT_EQ(history.lives_in_all, 4u);
  EXPECT_EQ(history.lives[0].address, 0x100u);
  EXPECT_EQ(history.lives[0].tid, 7u);
  EXPECT_EQ(history.lives[0].end, BlockEnd::released);
  EXPECT_EQ(history.lives[0].released_by, "free");
  EXPECT_EQ(history.lives[0].released_tid, 8u);
  EXPECT_DOUBLE_EQ(history.lives[0].ended, 0.002);
  EXPECT_EQ(history.lives[1].end, BlockEnd::unseen);
  EXPECT_EQ(history.lives[2].end, BlockEnd::exec);
  EXPECT_EQ(history.lives[3].end, BlockEnd::alive);
  EXPECT_TRUE(history.lives[3].unreachable);
  EXPECT_DOUBLE_EQ(history.lives[3].ended, 0.009);
}

TEST(BlockHistory, TellsProcessesApartAndKeepsTheNewest) {
  TraceBuilder trace;
  ProcessId one = trace.process(10, "one"), other = trace.process(11, "other");
  StackId stack = trace.stack("use@program main@program");
  trace.launch(0, one).launch(0, other);
  trace.allocate(1, one, 0x100, 8, stack).allocate(2, other, 0x100, 8, stack).release(3, one, 0x100);
  for (int i = 0; i < 5; ++i) trace.allocate(4 + 2 * i, one, 0x100, 8, stack).release(5 + 2 * i, one, 0x100);
  trace.ends(20);
  BlockHistory history = history_of(trace, 0x100, 2);
  EXPECT_EQ(history.lives_in_all, 7u);
  ASSERT_EQ(history.lives.size(), 2u);
  EXPECT_EQ(history.lives[1].process.name, "one");
  EXPECT_EQ(history.lives[1].end, BlockEnd::released);
  BlockHistory all = history_of(trace, 0x100);
  ASSERT_EQ(all.lives.size(), 7u);
  EXPECT_EQ(all.lives[1].process.name, "other");
  EXPECT_EQ(all.lives[1].end, BlockEnd::alive);
}

TEST(BlockHistory, IsEmptyWhereNothingLay) {
  TraceBuilder trace;
  ProcessId process = trace.process(10, "program");
  trace.launch(0, process).allocate(1, process, 0x100, 8, trace.stack("use@program")).ends(2);
  EXPECT_EQ(history_of(trace, 0x108).lives_in_all, 0u);
}

}  // namespace
}  // namespace culprit
