// What of a recording's memory is left, was there at the peak, or was temporary: worked out on paper, and compared.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/build_allocation_report.h"
#include "support/trace_names.h"

namespace culprit {
namespace {

using ::culprit::testing::TraceBuilder;

AllocationReport report_of(TraceBuilder& trace, const AllocationReportOptions& options = {}) {
  auto report = build_allocation_report(trace, testing::names_in(trace), options);
  EXPECT_TRUE(report);
  return *report;
}

const AllocationGroup* group_of(const AllocationReport& report, std::string_view function) {
  for (const AllocationGroup& group : report.groups)
    if (!group.stack.frames.empty() && group.stack.frames.front().function == function) return &group;
  return nullptr;
}

::testing::Matcher<BlockCount> blocks(uint64_t count, uint64_t bytes) {
  return ::testing::AllOf(::testing::Field(&BlockCount::blocks, count), ::testing::Field(&BlockCount::bytes, bytes));
}

struct OneProcess {
  OneProcess() : process(trace.process(10, "program")) {
    trace.launch(0, process);
    leak = trace.stack("leak@program main@program");
    use = trace.stack("use@program main@program");
  }
  TraceBuilder trace;
  ProcessId process;
  StackId leak, use;
};

TEST(AllocationReport, CountsWhatIsLeftByStack) {
  OneProcess one;
  one.trace.allocate(1, one.process, 0x10, 100, one.leak)
      .allocate(2, one.process, 0x20, 50, one.use)
      .release(3, one.process, 0x20)
      .allocate(4, one.process, 0x20, 60, one.leak)
      .ends(10);
  AllocationReport report = report_of(one.trace);
  ASSERT_EQ(report.groups.size(), 1u);
  EXPECT_EQ(report.groups[0].stack.frames.front().function, "leak");
  EXPECT_THAT(report.groups[0].outstanding, blocks(2, 160));
  EXPECT_DOUBLE_EQ(report.groups[0].first, 0.001);
  EXPECT_DOUBLE_EQ(report.groups[0].last, 0.004);
  EXPECT_THAT(report.outstanding, blocks(2, 160));
  EXPECT_THAT(report.made, blocks(3, 210));
  EXPECT_EQ(report.released, 1u);
  EXPECT_TRUE(report.exact);
}

TEST(AllocationReport, SaysWhatLivedAtThePeakWhateverCameAfter) {
  OneProcess one;
  one.trace.allocate(1, one.process, 0x10, 100, one.leak)
      .allocate(2, one.process, 0x20, 1000, one.use)
      .allocate(3, one.process, 0x30, 1000, one.use)  // 2100: the first peak
      .release(4, one.process, 0x20)
      .allocate(5, one.process, 0x20, 5, one.leak)
      .allocate(6, one.process, 0x40, 1500, one.use)  // 2605: the second
      .release(7, one.process, 0x10)
      .release(8, one.process, 0x40)
      .release(9, one.process, 0x30)
      .allocate(10, one.process, 0x50, 2500, one.leak)  // 2505
      .ends(20);
  AllocationReport report = report_of(one.trace, {.view = AllocationView::peak});
  EXPECT_THAT(report.most, blocks(4, 2605));
  EXPECT_DOUBLE_EQ(report.most_at, 0.006);
  EXPECT_THAT(group_of(report, "leak")->at_peak, blocks(2, 105));
  EXPECT_THAT(group_of(report, "use")->at_peak, blocks(2, 2500));
  EXPECT_EQ(report.groups.front().stack.frames.front().function, "use");
}

TEST(AllocationReport, CallsTemporaryWhatIsFreedBeforeItsThreadAllocatesAgain) {
  OneProcess one;
  one.trace.allocate(1, one.process, 0x10, 8, one.use, 1)
      .allocate(2, one.process, 0x20, 8, one.use, 2)  // another thread's: nothing to it
      .release(3, one.process, 0x10, 2)               // whoever frees it
      .allocate(4, one.process, 0x10, 8, one.use, 1)
      .allocate(5, one.process, 0x30, 8, one.use, 1)
      .release(6, one.process, 0x10, 1)  // not the last one
      .ends(10);
  AllocationReport report = report_of(one.trace, {.view = AllocationView::temporary});
  EXPECT_EQ(report.temporary, 1u);
  EXPECT_EQ(group_of(report, "use")->temporary, 1u);
}

TEST(AllocationReport, PutsFirstWhatNothingPointedToAtExit) {
  OneProcess one;
  one.trace.allocate(1, one.process, 0x10, 100, one.leak)
      .allocate(2, one.process, 0x20, 50, one.leak)
      .allocate(3, one.process, 0x30, 70, one.leak)
      .allocate(4, one.process, 0x40, 9000, one.use)
      .unreachable(8, one.process, {{0x10, false}, {0x20, true}, {0x40, false}, {0x50, false}})
      .release(9, one.process, 0x40)  // by a thread that still ran
      .allocate(9.5, one.process, 0x60, 9000, one.use)
      .exit(10, one.process)
      .ends(10);
  AllocationReport report = report_of(one.trace);
  ASSERT_EQ(report.groups.size(), 2u);
  EXPECT_EQ(report.groups[0].stack.frames.front().function, "leak");
  EXPECT_EQ(report.groups[0].verdict, AllocationVerdict::unreachable);
  EXPECT_THAT(report.groups[0].unreachable, blocks(2, 150));
  EXPECT_EQ(report.groups[0].indirect, 1u);
  EXPECT_THAT(report.groups[0].outstanding, blocks(3, 220));
  EXPECT_THAT(report.groups[1].unreachable, blocks(0, 0));
  EXPECT_EQ(report.groups[1].verdict, AllocationVerdict::held);
  EXPECT_THAT(report.unreachable, blocks(2, 150));
  EXPECT_EQ(report.unreachable_groups, 1u);
  EXPECT_TRUE(report.looked_at_exit);
  EXPECT_TRUE(report.processes.at(0).looked_at);
}

TEST(AllocationReport, BlamesTheLeakFromWhichOthersHang) {
  OneProcess one;
  one.trace.allocate(1, one.process, 0x10, 20, one.leak)
      .allocate(2, one.process, 0x20, 20, one.leak)
      .allocate(3, one.process, 0x30, 3000, one.use)
      .allocate(4, one.process, 0x40, 4000, one.use)
      .allocate(5, one.process, 0x50, 5000, one.use)
      .unreachable(8, one.process, {{0x10}, {0x20, true, 0x10}, {0x30, true, 0x10}, {0x40, true, 0x10}, {0x50, true}})
      .exit(10, one.process)
      .ends(10);
  AllocationReport report = report_of(one.trace);
  ASSERT_EQ(report.groups.size(), 2u);
  EXPECT_EQ(report.groups[0].stack.frames.front().function, "leak");
  EXPECT_THAT(report.groups[0].behind, blocks(2, 7000)) << "of other stacks, as far as it is known";
  EXPECT_EQ(report.groups[0].evidence,
            "nothing pointed there at exit, or only unreachable blocks did (1); behind them 7.0 kB in 2 more blocks");
  EXPECT_THAT(report.groups[1].behind, blocks(0, 0));
  EXPECT_EQ(report.groups[1].evidence, "only unreachable blocks pointed there at exit");
  EXPECT_THAT(report.unreachable, blocks(5, 12040));
}

TEST(AllocationReport, LeavesOutWithALeakWhatHangsFromIt) {
  OneProcess one;
  StackId both = one.trace.stack("both@program main@program");
  one.trace.allocate(1, one.process, 0x10, 20, one.leak)
      .allocate(2, one.process, 0x20, 3000, one.use)
      .allocate(3, one.process, 0x30, 70, both)
      .allocate(4, one.process, 0x40, 7, both)
      .unreachable(8, one.process, {{0x10}, {0x20, true, 0x10}, {0x30}, {0x40, true, 0x10}})
      .exit(10, one.process)
      .ends(10);
  const Suppressions of_the_owner{{{"known", 1, "", {{false, "leak", "", ""}}}}};
  AllocationReport report = report_of(one.trace, {.suppressions = &of_the_owner, .losses = {}});
  ASSERT_EQ(report.groups.size(), 1u);
  EXPECT_EQ(report.groups[0].stack.frames.front().function, "both");
  EXPECT_THAT(report.groups[0].unreachable, blocks(1, 70));
  EXPECT_EQ(report.groups[0].evidence, "nothing pointed there at exit");
  EXPECT_THAT(report.unreachable, blocks(1, 70));
  EXPECT_THAT(report.outstanding, blocks(1, 70));
  EXPECT_THAT(report.suppressed, blocks(3, 3027));
  EXPECT_EQ(report.suppressions.at(0).handles, 3u);
  const Suppressions of_what_hangs{{{"known", 1, "", {{false, "use", "", ""}}}}};
  report = report_of(one.trace, {.suppressions = &of_what_hangs, .losses = {}});
  EXPECT_THAT(group_of(report, "leak")->behind, blocks(1, 7)) << "of another stack that is told";
}

TEST(AllocationReport, SaysWhyNobodyLookedAtAProcessAsItEnded) {
  OneProcess one;
  ProcessId other = one.trace.process(11, "other");
  one.trace.launch(0, other)
      .allocate(1, one.process, 0x10, 100, one.leak)
      .allocate(1, other, 0x10, 100, one.leak)
      .unreachable(2, one.process, {}, "it is being debugged")
      .exit(3, one.process)
      .change(4, other, ProcessChange::killed, ProcessId::none, 11)
      .ends(10);
  AllocationReport report = report_of(one.trace);
  EXPECT_FALSE(report.looked_at_exit);
  ASSERT_EQ(report.processes.size(), 2u);
  EXPECT_EQ(report.processes[0].why_not, "it is being debugged");
  EXPECT_EQ(report.processes[1].why_not, "it was killed by SIGSEGV");
}

TEST(AllocationReport, DrawsTheMostOfEachPartOfTheTime) {
  OneProcess one;
  one.trace.allocate(1.5, one.process, 0x10, 100, one.use)
      .allocate(11.5, one.process, 0x20, 900, one.use)  // for a moment within the twelfth of forty parts
      .allocate(11.6, one.process, 0x30, 50, one.leak)
      .release(11.7, one.process, 0x20)
      .release(30.5, one.process, 0x10)
      .ends(40);
  AllocationReport report = report_of(one.trace, {.view = AllocationView::over_time});
  ASSERT_EQ(report.groups.size(), 2u);
  const AllocationGroup& use = report.groups[0];
  EXPECT_EQ(use.stack.frames.front().function, "use");
  EXPECT_THAT(use.most, blocks(2, 1000));
  EXPECT_DOUBLE_EQ(use.most_at, 0.0115);
  EXPECT_EQ(use.series[0], 0u);
  EXPECT_EQ(use.series[2], 100u);
  EXPECT_EQ(use.series[11], 1000u);
  EXPECT_EQ(use.series[12], 100u);
  EXPECT_EQ(use.series[31], 0u);
  EXPECT_EQ(use.looks[2], 100u);  // at 15 of 40
  EXPECT_EQ(report.series[11], 1050u);
  EXPECT_EQ(report.series[12], 150u);
  EXPECT_EQ(report.series.back(), 50u);
}

TEST(AllocationReport, GroupsBySize) {
  OneProcess one;
  one.trace.allocate(1, one.process, 0x10, 64, one.leak)
      .allocate(2, one.process, 0x20, 64, one.use)
      .allocate(3, one.process, 0x30, 8, one.use)
      .ends(10);
  AllocationReport report = report_of(one.trace, {.by = AllocationKey::size});
  ASSERT_EQ(report.groups.size(), 2u);
  EXPECT_THAT(report.groups[0].outstanding, blocks(2, 128));
  EXPECT_EQ(report.groups[0].largest, 64u);
  EXPECT_TRUE(report.groups[0].stack.frames.empty());
}

TEST(AllocationReport, TellsWhatGrowsFromWhatIsHeld) {
  OneProcess one;
  StackId cache = one.trace.stack("cache@program main@program");
  for (int i = 0; i < 100; ++i) one.trace.allocate(1, one.process, 0x1000 + 0x10 * i, 500, one.use);
  for (int i = 0; i < 200; ++i) {
    one.trace.allocate(2 + i, one.process, 0x10000 + 0x10 * i, 10, one.leak);
    one.trace.allocate(2 + i, one.process, 0x20000 + 0x10 * i, 10, cache);
    if (i >= 20) one.trace.release(2 + i, one.process, 0x20000 + 0x10 * (i - 20));
  }
  one.trace.ends(202);
  AllocationReport report = report_of(one.trace);
  EXPECT_EQ(group_of(report, "leak")->verdict, AllocationVerdict::grows);
  EXPECT_GT(group_of(report, "leak")->rate, 0);
  EXPECT_EQ(group_of(report, "use")->verdict, AllocationVerdict::held);
  EXPECT_EQ(group_of(report, "cache")->verdict, AllocationVerdict::held);  // bounded, though all of it is new
  EXPECT_EQ(report.growing_groups, 1u);
}

TEST(AllocationReport, FollowsForkAndExec) {
  OneProcess one;
  ProcessId child = one.trace.process(11, "child");
  one.trace.allocate(1, one.process, 0x10, 100, one.use)
      .fork(2, one.process, child)
      .release(3, child, 0x10)  // its copy: the parent's lives on
      .allocate(4, child, 0x10, 7, one.leak)
      .allocate(5, child, 0x20, 9, one.leak)
      .exec(6, child)
      .allocate(7, child, 0x10, 30, one.leak)
      .exit(8, child)
      .ends(10);
  AllocationReport report = report_of(one.trace);
  EXPECT_THAT(report.outstanding, blocks(2, 130));
  EXPECT_THAT(group_of(report, "leak")->outstanding, blocks(1, 30));
  EXPECT_THAT(group_of(report, "use")->outstanding, blocks(1, 100));
  ASSERT_EQ(report.processes.size(), 2u);
  const ProcessMemoryReport& of_child = report.processes[1];
  EXPECT_EQ(of_child.pid, 11u);
  EXPECT_EQ(of_child.unknown_releases, 1u);
  EXPECT_THAT(of_child.gone_with_exec, blocks(2, 16));
  EXPECT_TRUE(report.exact);
}

TEST(AllocationReport, LooksAtAWindowOnly) {
  OneProcess one;
  one.trace.allocate(1, one.process, 0x10, 1, one.leak)
      .allocate(5, one.process, 0x20, 2, one.leak)
      .release(6, one.process, 0x10)
      .allocate(7, one.process, 0x10, 4, one.leak)
      .release(8, one.process, 0x20)
      .allocate(9, one.process, 0x30, 8, one.leak)
      .ends(10);
  AllocationReport report = report_of(one.trace, {.from = TraceBuilder::ms(4), .to = TraceBuilder::ms(8.5)});
  EXPECT_THAT(report.outstanding, blocks(1, 4));
  EXPECT_THAT(report.made, blocks(2, 6));
}

// Each block of 1000 bytes, where one of 1000 bytes is sampled, stands for 1 / (1 - 1/e) = 1.582; one of 1 for 1000.5.
TEST(AllocationReport, EstimatesFromASample) {
  OneProcess one;
  one.trace.sampled_every(1000);
  for (Time i = 1; i <= 100; ++i) one.trace.allocate(i, one.process, static_cast<uint64_t>(i) * 0x1000, 1000, one.leak);
  one.trace.allocate(101, one.process, 0x10, 1, one.use).allocate(102, one.process, 0x20, 1, one.use);
  for (Time i = 1; i <= 40; ++i) one.trace.release(102 + i, one.process, static_cast<uint64_t>(i) * 0x1000);
  one.trace.ends(200);
  const AllocationReport report = report_of(one.trace);
  EXPECT_EQ(report.sampled_every, 1000u);
  EXPECT_EQ(report.samples, 102u);
  EXPECT_FALSE(report.exact);
  const AllocationGroup* leak = group_of(report, "leak");
  const AllocationGroup* use = group_of(report, "use");
  ASSERT_TRUE(leak != nullptr && use != nullptr);
  EXPECT_THAT(leak->made, blocks(158, 158'198));
  EXPECT_THAT(leak->outstanding, blocks(95, 94'919));
  EXPECT_THAT(use->outstanding, blocks(2001, 2001));
  EXPECT_EQ(report.released, 63u);
  EXPECT_THAT(report.most, blocks(158 + 2001, 158'198 + 2001));
  EXPECT_FALSE(build_allocation_report(one.trace, testing::names_in(one.trace), {.view = AllocationView::temporary}));
}

TEST(AllocationReport, IsPartialWhereABlockIsGivenOutTwice) {
  OneProcess one;
  one.trace.allocate(1, one.process, 0x10, 1, one.leak).allocate(2, one.process, 0x10, 2, one.use).ends(10);
  AllocationReport report = report_of(one.trace);
  EXPECT_THAT(report.outstanding, blocks(1, 2));
  EXPECT_FALSE(report.exact);
  ASSERT_EQ(report.losses.size(), 1u);
  EXPECT_EQ(report.losses.front().kind, LossKind::unseen_release);
}

}  // namespace
}  // namespace culprit
