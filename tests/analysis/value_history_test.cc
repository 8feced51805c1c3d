#include "analysis/value_history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/column_value.h"
#include "support/trace_names.h"

namespace culprit {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::TraceBuilder;

class ValueHistoryTest : public ::testing::Test {
 protected:
  ValueHistory history(ValueHistoryOptions options) {
    auto built = build_value_history(trace, testing::names_in(trace), options);
    EXPECT_TRUE(built);
    return built ? *built : ValueHistory{};
  }

  TraceBuilder trace;
  ProcessId server = trace.process(100, "server"), other = trace.process(101, "other");
  StackId open = trace.stack("open@/lib/libc.so.6 load@server main@server");
  StackId close = trace.stack("close@/lib/libc.so.6 unload@server main@server");
};

TEST_F(ValueHistoryTest, HoldsEveryLifeOfTheNumberWithBothStacks) {
  trace.launch(0, server)
      .open(1, server, 7, {.type = "file", .name = "/a", .stack = open})
      .close(2, server, 7, 1, close);
  trace.open(3, server, 8).open(4, server, 7, {.type = "socket", .stack = open}).ends(10);
  const ValueHistory report = history({.value = 7});
  ASSERT_THAT(report.lives, SizeIs(2));
  EXPECT_EQ(report.lives[0].handle.name, "/a");
  EXPECT_EQ(report.lives[0].handle.how_closed, HowClosed::close);
  EXPECT_EQ(blamed_function(report.lives[0].creating_stack), "load");
  EXPECT_EQ(blamed_function(report.lives[0].closing_stack), "unload");
  EXPECT_EQ(report.lives[1].handle.type, "socket");
  EXPECT_EQ(report.lives[1].handle.how_closed, HowClosed::still_open);
  EXPECT_THAT(report.lives[1].closing_stack.frames, IsEmpty());
}

TEST_F(ValueHistoryTest, OfOneProcessOrOfAll) {
  trace.launch(0, server).launch(0, other).open(1, server, 7).open(2, other, 7).ends(10);
  EXPECT_EQ(history({.value = 7}).lives_in_all, 2);
  const ValueHistory one = history({.value = 7, .filter = {.processes = {"other"}, .lives = Lives::all}});
  ASSERT_THAT(one.lives, SizeIs(1));
  EXPECT_EQ(one.lives[0].handle.owning.pid, 101);
}

TEST_F(ValueHistoryTest, NamesClosesOfANumberThatWasNotOpen) {
  trace.launch(0, server).snapshot(0, 0, server, SnapshotReason::start, true, {});
  trace.open(1, server, 7).close(2, server, 7).close(3, server, 7, 5, close).close(4, server, 8).ends(10);
  const ValueHistory report = history({.value = 7});
  ASSERT_THAT(report.vain_closes, SizeIs(1));
  EXPECT_DOUBLE_EQ(report.vain_closes[0].time, 0.003);
  EXPECT_EQ(report.vain_closes[0].tid, 5);
  EXPECT_EQ(report.vain_closes[0].process.pid, 100);
  EXPECT_EQ(blamed_function(report.vain_closes[0].stack), "unload");
}

TEST_F(ValueHistoryTest, KeepsTheNewestOfVeryMany) {
  trace.launch(0, server);
  for (int i = 0; i < 100; ++i) trace.open(2 * i + 1, server, 3).close(2 * i + 2, server, 3);
  trace.ends(1000);
  const ValueHistory report = history({.value = 3, .top = 4});
  EXPECT_EQ(report.lives_in_all, 100);
  ASSERT_THAT(report.lives, SizeIs(4));
  EXPECT_DOUBLE_EQ(report.lives[0].handle.created, 0.193);
  EXPECT_DOUBLE_EQ(report.lives[3].handle.created, 0.199);
}

}  // namespace
}  // namespace culprit
