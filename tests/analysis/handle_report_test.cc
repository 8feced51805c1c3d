#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/build_handle_report.h"
#include "support/trace_names.h"

namespace culprit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::TraceBuilder;

class HandleReportTest : public ::testing::Test {
 protected:
  SymbolLookup lookup = [this](std::span<const SymbolRequest> requests) {
    asked += requests.size();
    return testing::names_in(trace)(requests);
  };
  HandleReport report(HandleReportOptions options = {}) {
    auto built = build_handle_report(trace, lookup, options);
    EXPECT_TRUE(built);
    return built ? *built : HandleReport{};
  }
  // `count` events from `from` to `to` ms, the numbers from `value` on; those chosen by `closes` are closed `life` ms
  // later.
  template <typename Closes>
  void loop(ProcessId process, StackId stack, int64_t value, int count, double from, double to, double life,
            Closes closes) {
    for (int i = 0; i < count; ++i) {
      const double time = from + (to - from) * i / count;
      trace.open(time, process, value + i, {.stack = stack});
      if (closes(i)) trace.close(time + life, process, value + i);
    }
  }
  static bool never(int) { return false; }
  static bool always(int) { return true; }

  TraceBuilder trace;
  ProcessId p = trace.process(100, "program");
  StackId leaky = trace.stack("eventfd@/lib/x86_64-linux-gnu/libc.so.6 fun4@program fun2@program main@program");
  StackId tidy = trace.stack("eventfd@/lib/x86_64-linux-gnu/libc.so.6 fun3@program fun1@program main@program");
  int asked = 0;
};

TEST_F(HandleReportTest, NamesTheLineThatLeaksAndNotTheOneThatCloses) {
  trace.launch(0, p, 1024);
  loop(p, tidy, 3, 100, 0, 1000, 1, always);
  loop(p, leaky, 200, 100, 0, 1000, 1, never);
  trace.exit(1000, p, 3).ends(1000);
  const HandleReport r = report();
  ASSERT_THAT(r.groups, SizeIs(1));
  const HandleGroup& group = r.groups[0];
  EXPECT_EQ(group.verdict, Verdict::grows);
  EXPECT_TRUE(group.leak);
  EXPECT_EQ(group.type, "eventfd");
  EXPECT_EQ(group.count, 100);
  EXPECT_EQ(group.at_exit, 100);
  EXPECT_EQ(group.closed, 0);
  EXPECT_EQ(group.how_closed, HowClosed::exit);
  EXPECT_NEAR(group.rate, 100, 1);
  EXPECT_EQ(group.evidence, "0 of 100 closed, made steadily at 100/s from start to end");
  ASSERT_TRUE(group.stack.blamed);
  EXPECT_EQ(group.stack.frames[*group.stack.blamed].function, "fun4");
  EXPECT_EQ(group.stack.frames[0].skipped_by, "libc");
  EXPECT_FALSE(group.stack.frames[0].own);
  EXPECT_TRUE(group.stack.frames[1].own);
  EXPECT_THAT(group.examples, SizeIs(5));
  EXPECT_EQ(group.examples[0].value, 200);
  EXPECT_TRUE(r.exact);
  EXPECT_EQ(r.created, 200);
  EXPECT_EQ(r.closed, 100);
  EXPECT_EQ(r.leaked, 100);
  EXPECT_EQ(r.status, 3);
  ASSERT_THAT(r.processes, SizeIs(1));
  ASSERT_TRUE(r.processes[0].time_left);
  EXPECT_NEAR(r.processes[0].time_left->seconds, 9.24, 0.2);
  EXPECT_THAT(r.processes[0].time_left->sentence, HasSubstr("at this rate the limit of 1,024 is reached in about 9"));
  uint64_t in_series = 0;
  for (uint32_t count : group.series) in_series += count;
  EXPECT_EQ(in_series, 100);
  ASSERT_THAT(r.rules, SizeIs(1));
  EXPECT_EQ(r.rules[0].rule, "libc");
}

TEST_F(HandleReportTest, ShowsGroupsWithNothingOutstandingOnlyOnRequest) {
  trace.launch(0, p);
  loop(p, tidy, 3, 10, 0, 1000, 1, always);
  trace.ends(1000);
  EXPECT_THAT(report().groups, IsEmpty());
  const HandleReport all = report({.all = true});
  ASSERT_THAT(all.groups, SizeIs(1));
  EXPECT_EQ(all.groups[0].verdict, Verdict::none);
  EXPECT_EQ(all.groups[0].evidence, "10 made, all of them closed");
  EXPECT_FALSE(all.has_leak());
}

TEST_F(HandleReportTest, AFewHandlesMadeEarlyAndKeptAreProbablyMeant) {
  trace.launch(0, p);
  loop(p, leaky, 3, 20, 0, 50, 1, never);
  trace.exit(10'000, p).ends(10'000);
  const HandleReport r = report();
  ASSERT_THAT(r.groups, SizeIs(1));
  EXPECT_EQ(r.groups[0].verdict, Verdict::held);
  EXPECT_FALSE(r.has_leak());
  EXPECT_THAT(r.groups[0].evidence, HasSubstr("0 of 20 closed"));
  EXPECT_FALSE(r.processes[0].time_left);
}

TEST_F(HandleReportTest, ASingleHandleIsHeldWheneverItWasMade) {
  trace.launch(0, p).open(900, p, 3, {.stack = leaky}).exit(1000, p).ends(1000);
  EXPECT_EQ(report().groups.at(0).verdict, Verdict::held);
}

TEST_F(HandleReportTest, VeryManyAreALeakEvenWhenMadeEarly) {
  trace.launch(0, p);
  loop(p, leaky, 3, 500, 0, 50, 1, never);
  trace.exit(10'000, p).ends(10'000);
  EXPECT_EQ(report().groups.at(0).verdict, Verdict::grows);
}

TEST_F(HandleReportTest, AStackThatClosesNineOfTenHasForgottenTheTenth) {
  trace.launch(0, p);
  loop(p, leaky, 3, 100, 0, 1000, 2, [](int i) { return i % 10 != 0; });
  trace.exit(1100, p).ends(1100);
  const HandleGroup group = report().groups.at(0);
  EXPECT_EQ(group.verdict, Verdict::sometimes_forgotten);
  EXPECT_TRUE(group.leak);
  EXPECT_EQ(group.count, 10);
  EXPECT_NEAR(group.lifetimes.median, 0.002, 0.0003);
  EXPECT_THAT(group.evidence, HasSubstr("10 of 100 not closed; the others lived "));
}

TEST_F(HandleReportTest, HandlesStillInUseWhenTheProgramEndsAreNotForgotten) {
  trace.launch(0, p);
  loop(p, leaky, 3, 100, 0, 1000, 100, [](int i) { return i < 90; });
  trace.exit(1000, p).ends(1000);
  const HandleGroup group = report().groups.at(0);
  EXPECT_EQ(group.verdict, Verdict::held);
  EXPECT_FALSE(group.leak);
}

TEST_F(HandleReportTest, ChildrenThatLeakAndExitAreHiddenByExitAndALeak) {
  trace.launch(0, p);
  for (int c = 0; c < 4; ++c) {
    const ProcessId child = trace.process(200 + c, "worker");
    const double start = c * 1000;
    trace.fork(start, p, child);
    loop(child, leaky, 3, 50, start + 1, start + 800, 1, never);
    trace.exit(start + 810, child);
  }
  trace.exit(5000, p).ends(5000);
  const HandleReport r = report();
  ASSERT_THAT(r.groups, SizeIs(1));
  EXPECT_EQ(r.groups[0].verdict, Verdict::hidden_by_exit);
  EXPECT_TRUE(r.groups[0].leak);
  EXPECT_EQ(r.groups[0].count, 200);
  EXPECT_EQ(r.groups[0].processes, 4);
  EXPECT_THAT(r.groups[0].evidence, HasSubstr("200 made in 4 processes, 0 of 200 closed before the processes ended"));
}

TEST_F(HandleReportTest, ManyProcessesThatEachLeaveOneToTheirEndAreNoLeak) {
  trace.launch(0, p);
  for (int c = 0; c < 30; ++c) {
    const ProcessId child = trace.process(200 + c, "worker");
    trace.fork(c * 10, p, child).open(c * 10 + 1, child, 3, {.stack = leaky}).exit(c * 10 + 5, child);
  }
  trace.exit(400, p).ends(400);
  const HandleReport r = report();
  EXPECT_EQ(r.groups.at(0).verdict, Verdict::hidden_by_exit);
  EXPECT_FALSE(r.has_leak());
}

TEST_F(HandleReportTest, WhatAChildInheritsIsNotItsLeak) {
  trace.launch(0, p).open(1, p, 3, {.stack = leaky});
  const ProcessId child = trace.process(200, "child");
  trace.fork(2, p, child).close(3, p, 3).exit(1000, child).exit(1001, p).ends(1001);
  const HandleReport r = report();
  EXPECT_THAT(r.groups, IsEmpty());
  EXPECT_EQ(r.inherited, 1);
}

TEST_F(HandleReportTest, AfterIgnoresTheWarmUp) {
  trace.launch(0, p);
  loop(p, tidy, 3, 50, 0, 500, 1, never);
  loop(p, leaky, 100, 50, 1000, 2000, 1, never);
  trace.ends(2000);
  const HandleReport r = report({.after = 900'000'000});
  ASSERT_THAT(r.groups, SizeIs(1));
  EXPECT_EQ(r.groups[0].stack.frames[1].function, "fun4");
  EXPECT_EQ(r.groups[0].how_closed, HowClosed::still_open);
  EXPECT_EQ(r.before_window, 50);
}

TEST_F(HandleReportTest, OnesOwnCodeComesBeforeLibraries) {
  const StackId library = trace.stack("open@/lib/libc.so.6 load@/usr/lib/libfoo.so.1 main@program");
  trace.launch(0, p);
  loop(p, library, 3, 300, 0, 1000, 1, never);
  loop(p, leaky, 1000, 50, 0, 1000, 1, never);
  trace.ends(1000);
  const HandleReport r = report({.top = 1});
  ASSERT_THAT(r.groups, SizeIs(1));
  EXPECT_EQ(r.groups[0].count, 50);
  EXPECT_EQ(r.groups_hidden, 1);
  EXPECT_EQ(r.handles_hidden, 300);
  EXPECT_EQ(r.leaked, 350);
}

TEST_F(HandleReportTest, SuppressedGroupsAreCountedAndUnusedSuppressionsShown) {
  trace.launch(0, p);
  loop(p, leaky, 3, 50, 0, 1000, 1, never);
  trace.ends(1000);
  const auto suppressions = parse_suppressions("[known]\nfun: fun4\n[other]\nfun: nobody\n");
  ASSERT_TRUE(suppressions);
  const HandleReport r = report({.suppressions = &*suppressions});
  EXPECT_THAT(r.groups, IsEmpty());
  EXPECT_FALSE(r.has_leak());
  EXPECT_EQ(r.suppressed_handles, 50);
  ASSERT_THAT(r.suppressions, SizeIs(2));
  EXPECT_EQ(r.suppressions[0].groups, 1);
  EXPECT_EQ(r.suppressions[1].groups, 0);
}

TEST_F(HandleReportTest, LossesAreMergedByKindAndDecideWhetherItIsExact) {
  trace.launch(0, p).snapshot(0, 0, p, SnapshotReason::start, true, {});
  trace.loss({LossKind::ring_full, 3, p, {}}).loss({LossKind::ring_full, 4, ProcessId::none, "late"});
  trace.snapshot(5, 6, p, SnapshotReason::exit, true, {{9, "socket", "socket:[tcp]", 1}}).exit(7, p).ends(7);
  const HandleReport r = report();
  EXPECT_FALSE(r.exact);
  ASSERT_THAT(r.losses, SizeIs(2));
  EXPECT_EQ(r.losses[0].count, 7);
  EXPECT_THAT(r.losses[0].details, ElementsAre("program (100)", "late"));
  EXPECT_EQ(r.losses[1].kind, LossKind::unknown_origin);
  ASSERT_THAT(r.unknown, SizeIs(1));
  EXPECT_EQ(r.unknown[0].value, 9);
  EXPECT_EQ(r.unknown[0].name, "socket:[tcp]");
}

TEST_F(HandleReportTest, GivesHandlesOneByOneOnRequestWithTheirGroups) {
  trace.launch(0, p);
  loop(p, leaky, 3, 5, 0, 1000, 1, never);
  trace.close(1000, p, 3, 7).ends(1000);
  EXPECT_THAT(report().handles, IsEmpty());
  EXPECT_THAT(report({.handles = true}).handles, SizeIs(4));
  const HandleReport r = report({.all = true, .handles = true, .handles_limit = 3});
  EXPECT_THAT(r.handles, SizeIs(3));
  EXPECT_EQ(r.handles_left_out, 2);
  EXPECT_EQ(r.handles[0].value, 3);
  EXPECT_EQ(r.handles[0].how_closed, HowClosed::close);
  EXPECT_EQ(r.handles[0].closed_tid, 7);
  EXPECT_EQ(r.handles[0].group, 0);
}

TEST_F(HandleReportTest, LooksUpEachAddressOnceAndWorksWithoutSymbols) {
  trace.launch(0, p);
  loop(p, leaky, 3, 50, 0, 1000, 1, never);
  loop(p, tidy, 100, 50, 0, 1000, 1, never);
  trace.ends(1000);
  report();
  EXPECT_EQ(asked, 6) << "eventfd and main are common to both stacks";
  lookup = {};
  const HandleReport r = report();
  ASSERT_THAT(r.groups, SizeIs(2));
  EXPECT_EQ(r.groups[0].stack.frames[*r.groups[0].stack.blamed].module, "/home/me/program");
}

}  // namespace
}  // namespace culprit
