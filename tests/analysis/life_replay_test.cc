#include "analysis/life_replay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/trace_builder.h"

namespace culprit {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;
using testing::TraceBuilder;

struct Lives final : HandleLifeSink {
  void on_life(const HandleLife& life) override { lives.push_back(life); }
  std::vector<HandleLife> lives;
};

class LifeReplayTest : public ::testing::Test {
 protected:
  TraceBuilder trace;
  ProcessId server = trace.process(100, "server");
  Lives sink;
};

TEST_F(LifeReplayTest, CanEndBeforeTheRecordingDoes) {
  trace.launch(0, server).open(10, server, 3).mark(15, "early").close(20, server, 3).open(30, server, 4);
  trace.mark(40, "late").ends(100);
  LifeReplay replay(trace, sink, TraceBuilder::ms(15));
  ASSERT_TRUE(replay.run());
  ASSERT_THAT(sink.lives, SizeIs(1));
  EXPECT_EQ(sink.lives[0].how_closed, HowClosed::still_open);
  EXPECT_EQ(sink.lives[0].closed, TraceBuilder::ms(15));
  EXPECT_EQ(replay.span().end, TraceBuilder::ms(15));
  EXPECT_THAT(replay.marks(), SizeIs(1));
}

TEST_F(LifeReplayTest, KnowsTheThreadsNamesAndTheLosses) {
  trace.launch(0, server).thread(1, server, 7, "first").thread(2, server, 7, "second");
  trace.loss({.kind = LossKind::ring_full, .count = 3}).ends(10);
  LifeReplay replay(trace, sink);
  ASSERT_TRUE(replay.run());
  EXPECT_EQ(trace.tables().text(replay.thread_name(server, 7)), "second");
  EXPECT_EQ(replay.thread_name(server, 8), StringId::none);
  ASSERT_THAT(replay.losses(), SizeIs(1));
  EXPECT_EQ(replay.losses()[0].count, 3);
}

// A circular recording: what was open when its window began comes first.
class Circular final : public Trace {
 public:
  Circular(TraceBuilder& later, CarriedTable carried) : later_(later), carried_(std::move(carried)) {}
  const TraceInfo& info() const override { return later_.info(); }
  const TraceTables& tables() const override { return later_.tables(); }
  Result<void> replay(EventSink& sink) override {
    sink.on_carried(carried_);
    return later_.replay(sink);
  }

 private:
  TraceBuilder& later_;
  CarriedTable carried_;
};

TEST_F(LifeReplayTest, WhatACircularRecordingStillKnowsIsTakenOver) {
  trace.close(60, server, 3).ends(100);
  CarriedTable carried{.as_of = TraceBuilder::ms(50), .owner = server};
  carried.processes.push_back({.process = server});
  carried.handles.push_back(
      {.value = 3, .created = TraceBuilder::ms(10), .made = TraceBuilder::ms(10), .owning = server});
  Circular circular(trace, carried);
  LifeReplay replay(circular, sink);
  ASSERT_TRUE(replay.run());
  ASSERT_THAT(sink.lives, SizeIs(1));
  EXPECT_EQ(sink.lives[0].created, TraceBuilder::ms(10));
  EXPECT_EQ(sink.lives[0].how_closed, HowClosed::close);
}

TEST_F(LifeReplayTest, ItsSpanNeedsNoEndInTheHeader) {
  trace.launch(0, server).open(70, server, 3);
  EXPECT_EQ(span_of(trace)->end, TraceBuilder::ms(70));
  trace.ends(100);
  EXPECT_EQ(span_of(trace)->end, TraceBuilder::ms(100));
}

TEST_F(LifeReplayTest, MarksAreFoundWithoutWorkingOutLives) {
  trace.mark(1, "a").mark(2, "b").ends(10);
  auto marks = marks_of(trace);
  ASSERT_TRUE(marks);
  EXPECT_THAT(*marks, ElementsAre(::testing::Field(&Mark::name, "a"), ::testing::Field(&Mark::name, "b")));
}

}  // namespace
}  // namespace culprit
