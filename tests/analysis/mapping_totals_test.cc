// What is left of a program's mappings: worked out on paper, and compared.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/build_allocation_report.h"
#include "analysis/memory_diff.h"
#include "support/trace_names.h"

namespace culprit {
namespace {

using ::culprit::testing::TraceBuilder;

struct OneProcess {
  OneProcess() : process(trace.process(10, "program")) {
    trace.launch(0, process);
    one = trace.stack("one@program main@program");
    two = trace.stack("two@program main@program");
  }
  AllocationReport report(AllocationReportOptions options = {}) {
    options.kind = RecordedMemory::mappings;
    auto report = build_allocation_report(trace, testing::names_in(trace), options);
    EXPECT_TRUE(report);
    return *report;
  }
  TraceBuilder trace;
  ProcessId process;
  StackId one, two;
};

// "one: 2 in 300 of 3, mmap anonymous", in the report's order.
std::vector<std::string> groups(const AllocationReport& report) {
  std::vector<std::string> lines;
  for (const AllocationGroup& group : report.groups)
    lines.push_back(group.stack.frames.front().function + ": " + std::to_string(group.outstanding.blocks) + " in " +
                    std::to_string(group.outstanding.bytes) + " of " + std::to_string(group.made.blocks) + ", " +
                    group.function + " " + group.mapping);
  return lines;
}
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(MappingTotals, AMappingCountsUntilItsLastByteIsUnmapped) {
  OneProcess it;
  it.trace.map(1, it.process, 1000, 300, it.one)
      .unmap(2, it.process, 1100, 100)
      .map(3, it.process, 5000, 100, it.two)
      .unmap(4, it.process, 5000, 60)
      .unmap(5, it.process, 5060, 40)
      .ends(10);
  AllocationReport report = it.report();
  EXPECT_THAT(groups(report), ElementsAre("one: 1 in 200 of 1, mmap anonymous"));
  EXPECT_EQ(report.made.blocks, 2u);
  EXPECT_EQ(report.made.bytes, 400u);
  EXPECT_EQ(report.released, 1u);
  EXPECT_EQ(report.most.bytes, 300u);
  EXPECT_TRUE(report.exact);
}

TEST(MappingTotals, OneUnmapEndsAllThatLiesInItsRange) {
  OneProcess it;
  it.trace.map(1, it.process, 1000, 100, it.one)
      .map(2, it.process, 1100, 100, it.one)
      .map(3, it.process, 1300, 100, it.two)
      .unmap(4, it.process, 1050, 300)
      .ends(10);
  EXPECT_THAT(groups(it.report()),
              ElementsAre("one: 1 in 50 of 2, mmap anonymous", "two: 1 in 50 of 1, mmap anonymous"));
}

TEST(MappingTotals, WhatIsMappedOverAnotherTakesItsRange) {
  OneProcess it;
  it.trace.map(1, it.process, 1000, 800, it.one).map(2, it.process, 1200, 300, it.two, MappingKind::file).ends(10);
  EXPECT_THAT(groups(it.report()), ElementsAre("one: 1 in 500 of 1, mmap anonymous", "two: 1 in 300 of 1, mmap file"));
}

TEST(MappingTotals, MremapTakesAMappingAlongWhereverItGoes) {
  OneProcess it;
  it.trace.map(1, it.process, 1000, 200, it.one, MappingKind::file)
      .unmap(2, it.process, 1000, 200, MappingAction::leave)
      .map(3, it.process, 9000, 500, it.two, MappingKind::moved)  // grows
      .map(4, it.process, 1000, 100, it.two)                      // its old place
      .unmap(5, it.process, 9000, 500, MappingAction::leave)
      .map(6, it.process, 9000, 100, it.two, MappingKind::moved)  // shrinks where it is
      .ends(10);
  AllocationReport report = it.report();
  EXPECT_THAT(groups(report), ElementsAre("one: 1 in 100 of 1, mmap file", "two: 1 in 100 of 1, mmap anonymous"));
  EXPECT_EQ(report.most.bytes, 600u);
}

TEST(MappingTotals, MremapOfOtherThreadsMeanwhileIsTheirs) {
  OneProcess it;
  it.trace.map(1, it.process, 1000, 100, it.one)
      .map(1, it.process, 2000, 100, it.two)
      .unmap(2, it.process, 1000, 100, MappingAction::leave, 1)
      .unmap(3, it.process, 2000, 100, MappingAction::leave, 2)
      .map(4, it.process, 2000, 100, it.one, MappingKind::moved, 1)
      .map(5, it.process, 1000, 50, it.one, MappingKind::moved, 2)
      .ends(10);
  EXPECT_THAT(groups(it.report()),
              ElementsAre("one: 1 in 100 of 1, mmap anonymous", "two: 1 in 50 of 1, mmap anonymous"));
}

TEST(MappingTotals, OfAMappingThatNobodySawBeingMadeMremapIsWhatIsKnown) {
  OneProcess it;
  it.trace.unmap(2, it.process, 1000, 100, MappingAction::leave)
      .map(3, it.process, 9000, 300, it.one, MappingKind::moved)
      .ends(10);
  EXPECT_THAT(groups(it.report()), ElementsAre("one: 1 in 300 of 1, mremap moved"));
}

TEST(MappingTotals, WhatNeverArrivesIsGone) {
  OneProcess it;
  it.trace.map(1, it.process, 1000, 100, it.one)
      .unmap(2, it.process, 1000, 100, MappingAction::leave)
      .unmap(3, it.process, 2000, 100, MappingAction::leave)
      .map(4, it.process, 9000, 300, it.two, MappingKind::moved)
      .ends(10);
  EXPECT_THAT(groups(it.report()), ElementsAre("two: 1 in 300 of 1, mremap moved"));
}

TEST(MappingTotals, ExecEndsAllAndChildrenBeginWithoutWhatTheyInherit) {
  OneProcess it;
  ProcessId child = it.trace.process(11, "child");
  it.trace.map(1, it.process, 1000, 100, it.one)
      .fork(2, it.process, child)
      .unmap(3, child, 1000, 100)
      .map(4, child, 1000, 30, it.two)
      .exec(5, it.process)
      .ends(10);
  AllocationReport report = it.report();
  EXPECT_THAT(groups(report), ElementsAre("two: 1 in 30 of 1, mmap anonymous"));
  ASSERT_EQ(report.processes.size(), 2u);
  EXPECT_EQ(report.processes[1].gone_with_exec.bytes, 100u);
}

TEST(MappingTotals, OnlyWhatWasMappedInTheWindowCounts) {
  OneProcess it;
  it.trace.map(1, it.process, 1000, 100, it.one)
      .map(3, it.process, 2000, 100, it.two)
      .unmap(5, it.process, 1000, 2000)
      .ends(10);
  EXPECT_THAT(groups(it.report({.from = TraceBuilder::ms(2), .to = TraceBuilder::ms(4)})),
              ElementsAre("two: 1 in 100 of 1, mmap anonymous"));
}

TEST(MappingTotals, ImpossibleRangesAreNone) {
  OneProcess it;
  it.trace.map(1, it.process, UINT64_MAX - 10, 100, it.one).map(2, it.process, 1000, 0, it.one).ends(10);
  EXPECT_THAT(groups(it.report()), IsEmpty());
}

TEST(MappingTotals, AReportOfBlocksSumsThemUpApart) {
  OneProcess it;
  it.trace.allocate(1, it.process, 0x10, 7, it.one).map(2, it.process, 1000, 300, it.two).ends(10);
  auto report = build_allocation_report(it.trace, testing::names_in(it.trace), {});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->outstanding.bytes, 7u);
  EXPECT_EQ(report->mappings.outstanding.bytes, 300u);
  ASSERT_EQ(report->mappings.groups.size(), 1u);
  EXPECT_EQ(report->mappings.groups[0].stack.frames.front().function, "two");
}

TEST(MappingTotals, MomentsAreComparedByStack) {
  OneProcess it;
  it.trace.map(1, it.process, 1000, 100, it.one)
      .allocate(2, it.process, 0x10, 7, it.one)
      .map(3, it.process, 2000, 300, it.two)
      .ends(10);
  auto diff = diff_memory({it.trace, INT64_MIN, TraceBuilder::ms(2)}, {it.trace}, testing::names_in(it.trace),
                          {.kind = RecordedMemory::mappings});
  ASSERT_TRUE(diff);
  ASSERT_EQ(diff->rows.size(), 1u);
  EXPECT_EQ(diff->rows[0].after.bytes, 300u);
  EXPECT_EQ(diff->before.outstanding.bytes, 100u);
}

}  // namespace
}  // namespace culprit
