#include "analysis/handle_diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/column_value.h"
#include "support/trace_names.h"

namespace culprit {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::TraceBuilder;

class HandleDiffTest : public ::testing::Test {
 protected:
  HandleDiff diff(double from, double to = 1e6, size_t top = 0) {
    LifeFilter filter{.from = TraceBuilder::ms(from), .to = TraceBuilder::ms(to)};
    auto built = diff_moments(trace, testing::names_in(trace), {.filter = std::move(filter), .top = top});
    EXPECT_TRUE(built);
    return built ? *built : HandleDiff{};
  }
  static uint64_t gone(const HandleDiff& diff, HowClosed how) { return diff.older_by[static_cast<size_t>(how)]; }

  TraceBuilder trace;
  ProcessId server = trace.process(100, "server");
  StackId serve = trace.stack("accept@/lib/libc.so.6 serve@server main@server");
  StackId cleanup = trace.stack("close@/lib/libc.so.6 cleanup@server main@server");
};

TEST_F(HandleDiffTest, NamesWhatWasOpenedSinceAndIsStillOpen) {
  trace.launch(0, server).open(1, server, 3);
  for (int i = 0; i < 3; ++i) trace.open(20 + i, server, 10 + i, {.type = "socket", .stack = serve});
  trace.open(25, server, 20, {.type = "socket", .stack = serve}).close(26, server, 20);
  trace.open(27, server, 21, {.type = "file", .stack = serve}).ends(100);
  const HandleDiff report = diff(10);
  ASSERT_THAT(report.opened, SizeIs(2));
  EXPECT_EQ(report.opened[0].type, "socket");
  EXPECT_EQ(report.opened[0].count, 3);
  EXPECT_EQ(report.opened[0].example.value, 10);
  EXPECT_EQ(blamed_function(report.opened[0].stack), "serve");
  EXPECT_EQ(report.opened[1].type, "file");
  EXPECT_EQ(report.still_open, 4);
  EXPECT_EQ(report.made, 5);
  EXPECT_EQ(report.closed, 1);
  EXPECT_EQ(report.older, 1);
  EXPECT_EQ(report.older_kept, 1);
  EXPECT_TRUE(report.basis.exact);
}

TEST_F(HandleDiffTest, LooksNoFurtherThanTheSecondMoment) {
  trace.launch(0, server).open(20, server, 3).close(60, server, 3).open(70, server, 4).ends(100);
  const HandleDiff report = diff(10, 50);
  EXPECT_EQ(report.still_open, 1);
  EXPECT_EQ(report.made, 1);
  EXPECT_EQ(report.closed, 0);
  EXPECT_DOUBLE_EQ(report.basis.from, 0.010);
  EXPECT_DOUBLE_EQ(report.basis.to, 0.050);
}

TEST_F(HandleDiffTest, SaysWhatBecameOfOlderHandles) {
  trace.launch(0, server);
  for (int value = 3; value < 9; ++value) trace.open(1, server, value, {.type = "socket", .stack = serve});
  trace.close(5, server, 3);  // before the window: of no interest
  trace.close(20, server, 4, 1, cleanup).close(21, server, 5, 1, cleanup).dup(22, server, 7, 6).ends(100);
  const HandleDiff report = diff(10);
  EXPECT_EQ(report.older, 5);
  EXPECT_EQ(report.older_kept, 2);
  EXPECT_EQ(gone(report, HowClosed::close), 2);
  EXPECT_EQ(gone(report, HowClosed::replaced), 1);
  ASSERT_THAT(report.changed, SizeIs(2));
  EXPECT_EQ(report.changed[0].count, 2);
  EXPECT_EQ(report.changed[0].how, HowClosed::close);
  EXPECT_EQ(blamed_function(report.changed[0].closing_stack), "cleanup");
  EXPECT_EQ(report.changed[1].how, HowClosed::replaced);
  EXPECT_EQ(report.made, 1);  // the duplicate that took the number
}

TEST_F(HandleDiffTest, WhatWasThereBeforeTheRecordingIsOlder) {
  trace.snapshot(0, 0, server, SnapshotReason::start, true, {{.value = 0}, {.value = 1}}).ends(100);
  const HandleDiff report = diff(0);
  EXPECT_EQ(report.older, 2);
  EXPECT_THAT(report.opened, IsEmpty());
}

TEST_F(HandleDiffTest, CopiesOfOlderHandlesAreNotNew) {
  ProcessId child = trace.process(101, "worker");
  trace.launch(0, server).open(1, server, 3).open(12, server, 4).fork(20, server, child).ends(100);
  const HandleDiff report = diff(10);
  EXPECT_EQ(report.inherited, 1);
  EXPECT_EQ(report.still_open, 2);  // number 4, and the copy of it
  EXPECT_EQ(report.older, 1);
}

TEST_F(HandleDiffTest, WhatOnlyAnEndingProcessClosedIsNotClosed) {
  ProcessId child = trace.process(101, "worker");
  trace.launch(0, server).open(1, server, 3).fork(2, server, child).open(20, child, 4).exit(30, child).ends(100);
  const HandleDiff report = diff(10);
  EXPECT_EQ(report.at_exit, 1);
  EXPECT_EQ(report.still_open, 0);
  ASSERT_THAT(report.opened, SizeIs(1));
  EXPECT_EQ(report.opened[0].at_exit, 1);
  EXPECT_EQ(gone(report, HowClosed::exit), 1);  // the child's copy of number 3
  EXPECT_THAT(report.changed, IsEmpty());
}

TEST_F(HandleDiffTest, FoldsTheSmallerGroups) {
  trace.launch(0, server).open(20, server, 3, {.type = "a"}).open(21, server, 4, {.type = "b"});
  trace.open(22, server, 5, {.type = "b"}).ends(100);
  const HandleDiff report = diff(10, 100, 1);
  ASSERT_THAT(report.opened, SizeIs(1));
  EXPECT_EQ(report.opened[0].type, "b");
  EXPECT_EQ(report.opened_groups, 2);
}

}  // namespace
}  // namespace culprit
