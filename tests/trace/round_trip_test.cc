#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "support/event_log.h"
#include "support/sample_events.h"
#include "trace/trace_reader.h"
#include "trace/trace_writer.h"

namespace culprit {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;

std::unique_ptr<TraceWriter> temporary_writer(const SampleProgram& sample) {
  return std::move(TraceWriter::create_temporary(sample.tables, sample.info()).value());
}

std::unique_ptr<Trace> finished(TraceWriter& writer, const SampleProgram& sample) {
  EXPECT_TRUE(writer.finish(sample.info()));
  return std::move(writer.reopen().value());
}

TEST(TraceRoundTrip, ReturnsEveryFieldOfEveryEvent) {
  SampleProgram sample;
  EventLog sent(sample.tables);
  sample.send_everything(sent);
  auto writer = temporary_writer(sample);
  sample.send_everything(*writer);
  auto trace = finished(*writer, sample);

  EventLog read = replayed(*trace);
  EXPECT_THAT(read.lines, ElementsAreArray(sent.lines));
  EXPECT_THAT(read.losses, ElementsAreArray(sent.losses));
  EXPECT_EQ(trace->info().command, "server --port 80");
  EXPECT_EQ(trace->info().recorded_by, "culprit 0.1.0, agent");
  EXPECT_EQ(trace->info().machine, "host, Linux 6.1");
  EXPECT_EQ(trace->info().wall_clock_ns, 1700000000000000000);
  EXPECT_EQ(trace->info().started, 900);
  EXPECT_EQ(trace->info().ended, 2000);
  EXPECT_TRUE(trace->info().complete);
}

TEST(TraceRoundTrip, CanBeReplayedAgainWithTheSameIds) {
  SampleProgram sample;
  auto writer = temporary_writer(sample);
  sample.send_everything(*writer);
  writer->flush();
  sample.send_everything(*writer);
  auto trace = finished(*writer, sample);
  size_t strings = trace->tables().strings.size(), stacks = trace->tables().stacks.size();
  EventLog first = replayed(*trace), second = replayed(*trace);
  EXPECT_THAT(second.lines, ElementsAreArray(first.lines));
  EXPECT_EQ(trace->tables().strings.size(), strings);
  EXPECT_EQ(trace->tables().stacks.size(), stacks);
  EXPECT_EQ(trace->tables().processes.size(), sample.tables.processes.size());
}

TEST(TraceRoundTrip, PutsLateEventsOfOtherThreadsInOrderOfTime) {
  SampleProgram sample;
  auto writer = temporary_writer(sample);
  std::mt19937 random(7);
  std::vector<Time> times;
  for (int round = 0; round < 200; ++round) {
    for (uint32_t tid = 100; tid < 108; ++tid) {
      Time time = 1000 * round + random() % 50;
      for (int i = 0; i < 20; ++i) {
        writer->on_handle(sample.opened(time += 1 + random() % 90, i, tid));
        times.push_back(time);
      }
    }
    if (round % 3 == 0) writer->flush();
  }
  writer->on_handle(sample.opened(5, 1, 200));  // as late as can be
  times.push_back(5);
  auto trace = finished(*writer, sample);
  std::sort(times.begin(), times.end());
  EXPECT_EQ(replayed(*trace).times, times);
}

TEST(TraceRoundTrip, KeepsTheOrderOfRecordingAmongEqualTimes) {
  SampleProgram sample;
  auto writer = temporary_writer(sample);
  EventLog sent(sample.tables);
  for (int64_t value = 0; value < 60; ++value) {
    HandleEvent event = sample.opened(1000, value, static_cast<uint32_t>(100 + value % 7));
    writer->on_handle(event);
    sent.on_handle(event);
    if (value % 10 == 3) {
      writer->on_mark({1000, "mark " + std::to_string(value)});
      sent.on_mark({1000, "mark " + std::to_string(value)});
    }
    if (value % 20 == 7) writer->flush();
  }
  auto trace = finished(*writer, sample);
  EXPECT_THAT(replayed(*trace).lines, ElementsAreArray(sent.lines));
}

TEST(TraceRoundTrip, KeepsEventsOverManyBlocks) {
  SampleProgram sample;
  auto writer = temporary_writer(sample);
  constexpr int64_t count = 600'000;
  for (int64_t i = 0; i < count; ++i) {
    writer->on_handle(i % 2 == 0 ? sample.opened(i * 400, 3) : sample.closed(i * 400, 3));
  }
  auto trace = finished(*writer, sample);
  EXPECT_LE(writer->bytes_written(), static_cast<uint64_t>(count));
  struct Counter : EventLog {
    using EventLog::EventLog;
    int64_t seen = 0;
    void on_handle(const HandleEvent& event) override {
      if (event.time == seen * 400 && event.value == 3) ++seen;
    }
  } counter(trace->tables());
  ASSERT_TRUE(trace->replay(counter));
  EXPECT_EQ(counter.seen, count);
  EXPECT_THAT(counter.losses, ElementsAre());
}

TEST(TraceRoundTrip, TakesTheNewestDefinitionOfAProcess) {
  SampleProgram sample;
  auto writer = temporary_writer(sample);
  writer->on_handle(sample.opened(1000, 3));
  writer->flush();
  sample.tables.processes[2].name = "renamed";
  auto trace = finished(*writer, sample);
  ASSERT_EQ(trace->tables().processes.size(), 3u);
  EXPECT_THAT(replayed(*trace).lines, ElementsAre(testing::HasSubstr("100:renamed:")));
}

TEST(TraceRoundTrip, AddsUpEqualLosses) {
  SampleProgram sample;
  auto writer = temporary_writer(sample);
  for (int i = 0; i < 3; ++i) {
    writer->on_loss({.kind = LossKind::ring_full, .count = 5, .process = sample.server});
    writer->flush();
  }
  auto trace = finished(*writer, sample);
  EXPECT_THAT(replayed(*trace).losses, ElementsAre("ring_full 15 of 100: "));
}

TEST(TraceRoundTrip, SortsASnapshotThatIsOutOfOrder) {
  SampleProgram sample;
  auto writer = temporary_writer(sample);
  HandleSnapshot snapshot{.begin = 10, .end = 11, .process = sample.shell};
  for (int64_t value : {5, 2, 9}) snapshot.entries.push_back({.value = value});
  writer->on_snapshot(snapshot);
  auto trace = finished(*writer, sample);
  EXPECT_THAT(replayed(*trace).lines, ElementsAre(testing::ContainsRegex(".2   0. .5   0. .9   0.")));
}

TEST(TraceRoundTrip, OfAnEmptyRecordingIsCompleteAndEmpty) {
  SampleProgram sample;
  auto writer = temporary_writer(sample);
  auto trace = finished(*writer, sample);
  EventLog log = replayed(*trace);
  EXPECT_THAT(log.lines, ElementsAre());
  EXPECT_THAT(log.losses, ElementsAre());
  EXPECT_TRUE(trace->info().complete);
}

TEST(TraceRoundTrip, CanBeReadBeforeItIsFinished) {
  SampleProgram sample;
  auto writer = temporary_writer(sample);
  writer->on_handle(sample.opened(1000, 3));
  auto trace = std::move(writer->reopen().value());
  EXPECT_EQ(replayed(*trace).lines.size(), 1u);
  EXPECT_FALSE(trace->info().complete);
  EXPECT_TRUE(trace->info().being_recorded);
}

}  // namespace
}  // namespace culprit
