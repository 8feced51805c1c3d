#include "analysis/handle_series.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/trace_names.h"

namespace culprit {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;
using testing::TraceBuilder;

class HandleSeriesTest : public ::testing::Test {
 protected:
  HandleSeries series(const HandleSeriesOptions& options) {
    auto built = build_handle_series(trace, testing::names_in(trace), options);
    EXPECT_TRUE(built);
    return built ? *built : HandleSeries{};
  }
  static std::vector<uint64_t> open(const SeriesLine& line) {
    std::vector<uint64_t> numbers;
    for (const SeriesPoint& point : line.points) numbers.push_back(point.open);
    return numbers;
  }

  TraceBuilder trace;
  ProcessId server = trace.process(100, "server"), worker = trace.process(101, "worker");
};

TEST_F(HandleSeriesTest, CountsWhatIsOpenAtTheEndOfEachPoint) {
  trace.launch(0, server).open(5, server, 3).open(15, server, 4).open(25, server, 5).close(35, server, 3).ends(40);
  const HandleSeries report = series({.points = 4});
  EXPECT_THAT(open(report.all), ElementsAre(1, 2, 3, 2));
  EXPECT_EQ(report.all.start, 0);
  EXPECT_EQ(report.all.peak, 3);
  EXPECT_NEAR(report.all.peak_at, 0.025, 0.001);
  EXPECT_DOUBLE_EQ(report.width, 0.010);
  EXPECT_EQ(report.all.points[3].closed, 1);
}

TEST_F(HandleSeriesTest, ShowsWhatCameAndWentWithinOnePoint) {
  trace.launch(0, server).open(1, server, 3).open(2, server, 4).close(6, server, 3).close(7, server, 4).ends(40);
  const SeriesPoint first = series({.points = 4}).all.points.at(0);
  EXPECT_EQ(first.open, 0);
  EXPECT_EQ(first.most, 2);
  EXPECT_EQ(first.created, 2);
  EXPECT_EQ(first.closed, 2);
}

TEST_F(HandleSeriesTest, WhatWasThereBeforeTheRecordingIsOpenFromTheBeginning) {
  trace.snapshot(15, 15, server, SnapshotReason::start, true, {{.value = 0}, {.value = 1}});
  trace.open(25, server, 3).ends(40);
  const HandleSeries report = series({.points = 4});
  EXPECT_EQ(report.all.start, 2);
  EXPECT_THAT(open(report.all), ElementsAre(2, 2, 3, 3));
}

TEST_F(HandleSeriesTest, HandlesOfEndedProcessesAreOpenNoLonger) {
  trace.launch(0, server).open(5, server, 3).exit(15, server).ends(40);
  EXPECT_THAT(open(series({.points = 4}).all), ElementsAre(1, 0, 0, 0));
}

TEST_F(HandleSeriesTest, DrawsALineForEachProcessHighestPeakFirst) {
  trace.launch(0, server).launch(0, worker).open(5, server, 3);
  for (int i = 0; i < 5; ++i) trace.open(11, worker, 3 + i);
  trace.ends(40);
  const HandleSeries report = series({.by = HandleColumn::owning, .points = 4});
  ASSERT_THAT(report.lines, SizeIs(2));
  EXPECT_EQ(report.lines[0].value->text, "worker");
  EXPECT_THAT(open(report.lines[0]), ElementsAre(0, 5, 5, 5));
  EXPECT_THAT(open(report.lines[1]), ElementsAre(1, 1, 1, 1));
  EXPECT_THAT(open(report.all), ElementsAre(1, 6, 6, 6));
  const HandleSeries one = series({.by = HandleColumn::owning, .points = 4, .top = 1});
  EXPECT_THAT(one.lines, SizeIs(1));
  EXPECT_EQ(one.lines_folded, 1);
}

TEST_F(HandleSeriesTest, LinesWithTheSameWordAreOne) {
  StackId one = trace.stack("open@/lib/libc.so.6 log@server main@server");
  StackId other = trace.stack("open@/lib/libc.so.6 log@server retry@server");
  trace.launch(0, server).open(1, server, 3, {.stack = one}).open(21, server, 4, {.stack = other}).ends(40);
  const HandleSeries report = series({.by = HandleColumn::function, .points = 2});
  ASSERT_THAT(report.lines, SizeIs(1));
  EXPECT_EQ(report.lines[0].value->text, "log");
  EXPECT_THAT(open(report.lines[0]), ElementsAre(1, 2));
}

TEST_F(HandleSeriesTest, AWindowBeginsWithWhatWasOpenThen) {
  trace.launch(0, server).open(5, server, 3).open(15, server, 4).close(25, server, 3).mark(20, "load").ends(40);
  const HandleSeries report =
      series({.filter = {.from = TraceBuilder::ms(10), .to = TraceBuilder::ms(30), .lives = Lives::all}, .points = 2});
  EXPECT_EQ(report.all.start, 1);
  EXPECT_THAT(open(report.all), ElementsAre(2, 1));
  EXPECT_DOUBLE_EQ(report.from, 0.010);
  ASSERT_THAT(report.marks, SizeIs(1));
  EXPECT_EQ(report.marks[0].name, "load");
}

TEST_F(HandleSeriesTest, OutstandingOnesAloneShowTheSlopeOfTheLeak) {
  trace.launch(0, server);
  for (int i = 0; i < 4; ++i)
    trace.open(10 * i + 1, server, 3 + i).open(10 * i + 2, server, 50).close(10 * i + 3, server, 50);
  trace.ends(40);
  EXPECT_THAT(open(series({.filter = {.lives = Lives::outstanding}, .points = 4}).all), ElementsAre(1, 2, 3, 4));
}

TEST_F(HandleSeriesTest, NeedsNoEndInTheHeader) {
  trace.launch(0, server).open(5, server, 3).close(39, server, 3);
  EXPECT_THAT(open(series({.points = 2}).all), ElementsAre(1, 0));
}

}  // namespace
}  // namespace culprit
