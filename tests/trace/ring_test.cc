#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "base/syscall.h"
#include "support/event_log.h"
#include "trace/ring_stream.h"
#include "trace/trace_reader.h"

namespace culprit {
namespace {

using testing::HasSubstr;

constexpr uint64_t limit = uint64_t{1} << 20;

std::unique_ptr<TraceWriter> ring_to(const std::string& path, RingStream& stream, uint64_t bytes = limit) {
  TraceInfo info = stream.sample.info();
  info.started = RingStream::start;
  return std::move(
      TraceWriter::create(path, stream.sample.tables, info, {.circular = bytes, .open_handles = &stream}).value());
}

uint64_t size_of(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<uint64_t>(status.st_size) : 0;
}

void send(RingStream& stream, TraceWriter& writer, int64_t events) {
  for (int64_t i = 0; i < events; ++i) stream.send_next(writer);
}

TEST(CircularRecording, IsWholeUntilItsFirstLapIsFull) {
  TemporaryDirectory directory;
  RingStream stream;
  auto writer = ring_to(directory / "x.culprit", stream);
  send(stream, *writer, 10'000);
  ASSERT_TRUE(writer->finish(stream.sample.info()));
  auto trace = open_trace(directory / "x.culprit").value();
  RingWindow window(*trace);
  EXPECT_EQ(window.events, 10'000u);
  EXPECT_EQ(window.carried, 0u);
  EXPECT_TRUE(window.losses.empty());
  EXPECT_EQ(trace->info().complete_from, 0);
}

TEST(CircularRecording, KeepsTheNewestEventsAndWhatWasOpenBefore) {
  TemporaryDirectory directory;
  RingStream stream;
  auto writer = ring_to(directory / "x.culprit", stream);
  send(stream, *writer, 200'000);
  ASSERT_TRUE(writer->finish(stream.sample.info()));
  auto trace = open_trace(directory / "x.culprit").value();
  EXPECT_TRUE(trace->info().complete);
  EXPECT_EQ(trace->info().circular, limit);
  RingWindow window(*trace);
  EXPECT_EQ(window.last, RingStream::start + 199'999);
  EXPECT_GT(window.events, 20'000u);
  EXPECT_LT(window.events, 150'000u);
  EXPECT_GT(window.carried, 50u);
  EXPECT_EQ(window.losses.size(), 1u);
  EXPECT_EQ(window.losses["window_moved_on"] + window.events, 200'000u);
}

TEST(CircularRecording, IsNeverLargerThanItsLimit) {
  for (uint64_t bytes : {limit, limit + 4711, 3 * limit}) {
    TemporaryDirectory directory;
    RingStream stream;
    auto writer = ring_to(directory / "x.culprit", stream, bytes);
    uint64_t largest = 0;
    for (int i = 0; i < 1500; ++i) {
      send(stream, *writer, 200);
      writer->flush();
      uint64_t size = size_of(directory / "x.culprit.partial");
      ASSERT_LE(size, bytes);
      largest = std::max(largest, size);
    }
    EXPECT_GT(largest, bytes / 10 * 8);
    ASSERT_TRUE(writer->finish(stream.sample.info()));
    EXPECT_LE(size_of(directory / "x.culprit"), bytes);
    RingWindow window(*open_trace(directory / "x.culprit").value());
    EXPECT_EQ(window.last, RingStream::start + 299'999);
  }
}

TEST(CircularRecording, TellsTheWindowWhileItIsWritten) {
  TemporaryDirectory directory;
  RingStream stream;
  auto writer = ring_to(directory / "x.culprit", stream);
  EXPECT_EQ(writer->complete_from(), 0);
  send(stream, *writer, 150'000);
  writer->flush();
  auto trace = open_trace(directory / "x.culprit.partial").value();
  RingWindow window(*trace);
  EXPECT_EQ(writer->complete_from(), trace->info().complete_from);
  auto own = writer->reopen().value();
  EXPECT_EQ(own->info().complete_from, trace->info().complete_from);
}

TEST(CircularRecording, RemembersLossesThatFellOut) {
  TemporaryDirectory directory;
  RingStream stream;
  auto writer = ring_to(directory / "x.culprit", stream);
  writer->on_loss({.kind = LossKind::ring_full, .count = 3, .process = stream.sample.server});
  send(stream, *writer, 50'000);
  writer->on_loss({.kind = LossKind::ring_full, .count = 4, .process = stream.sample.server});
  send(stream, *writer, 150'000);
  writer->flush();
  RingWindow partial(*open_trace(directory / "x.culprit.partial").value());
  EXPECT_EQ(partial.losses["ring_full"], 7u);
  ASSERT_TRUE(writer->finish(stream.sample.info()));
  RingWindow window(*open_trace(directory / "x.culprit").value());
  EXPECT_EQ(window.losses["ring_full"], 7u);
}

// What a kill leaves when it comes in the middle of a write: the first part of the new block over the oldest ones.
TEST(CircularRecording, CutInTheMiddleOfAnyWriteIsRightForItsWindow) {
  TemporaryDirectory directory;
  RingStream stream;
  auto writer = ring_to(directory / "x.culprit", stream);
  send(stream, *writer, 150'000);
  writer->flush();
  int torn = 0;
  for (int i = 0; i < 12; ++i) {
    std::string before = read_whole_file(directory / "x.culprit.partial").value();
    send(stream, *writer, 700);
    writer->flush();
    std::string after = read_whole_file(directory / "x.culprit.partial").value();
    auto differs = std::mismatch(before.begin(), before.end(), after.begin(), after.end());
    auto from = static_cast<size_t>(differs.second - after.begin());
    size_t to = after.size();
    if (after.size() == before.size()) {
      while (to > from && before[to - 1] == after[to - 1]) --to;
    }
    for (size_t at : {from + 1, from + 30, from + 71, from + 72, from + 400, (from + to) / 2, to - 1}) {
      if (at >= to) continue;
      std::string mixed = after.substr(0, at) + (before.size() > at ? before.substr(at) : std::string());
      auto trace = open_trace_in_memory(as_bytes(mixed), "torn").value();
      RingWindow window(*trace);
      EXPECT_GT(window.events, 20'000u);
      EXPECT_FALSE(window.losses.contains("block_damaged")) << at;
      ++torn;
    }
  }
  EXPECT_GT(torn, 60);
}

TEST(CircularRecording, KilledAtAHundredMomentsIsRightForItsWindow) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 100; ++i) {
    TemporaryDirectory directory;
    const uint64_t seed = random();
    pid_t child = ::fork();
    if (child == 0) {
      RingStream stream(seed);
      auto writer = ring_to(directory / "x.culprit", stream);
      for (;;) {
        send(stream, *writer, 500);
        writer->flush();
      }
    }
    ::usleep(static_cast<useconds_t>(1000 + random() % 100'000));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    if (size_of(directory / "x.culprit.partial") == 0) continue;  // it had not begun
    auto trace = open_trace(directory / "x.culprit.partial");
    ASSERT_TRUE(trace) << trace.error().what;
    EXPECT_FALSE((*trace)->info().complete);
    RingWindow window(**trace, seed);
    EXPECT_FALSE(window.losses.contains("block_damaged"));
    EXPECT_LE(size_of(directory / "x.culprit.partial"), limit);
  }
}

TEST(CircularRecording, WithDamageSaysWhatIsMissingInIt) {
  TemporaryDirectory directory;
  RingStream stream;
  auto writer = ring_to(directory / "x.culprit", stream);
  send(stream, *writer, 150'000);
  ASSERT_TRUE(writer->finish(stream.sample.info()));
  std::string good = read_whole_file(directory / "x.culprit").value();
  for (size_t at = 200; at < good.size(); at += good.size() / 30) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 4);
    auto trace = open_trace_in_memory(as_bytes(bad), "bad").value();
    EventLog log = replayed(*trace);
    EXPECT_GT(log.lines.size(), 20'000u);
    // Or it was in the oldest blocks, and the window is a little shorter.
    EXPECT_TRUE(log.lost("block_damaged 1") || (*trace).info().complete_from > 0);
  }
}

TEST(CircularRecording, GoesOnInLessSpaceWhenTheDiskIsFull) {
  TemporaryDirectory directory;
  RingStream stream;
  pid_t child = ::fork();
  if (child == 0) {
    auto writer = ring_to(directory / "x.culprit", stream, 8 * limit);
    rlimit most{2 * limit, RLIM_INFINITY};
    ::setrlimit(RLIMIT_FSIZE, &most);
    send(stream, *writer, 400'000);
    EXPECT_TRUE(writer->finish(stream.sample.info()));
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_LE(size_of(directory / "x.culprit"), 2 * limit);
  RingWindow window(*open_trace(directory / "x.culprit").value());
  EXPECT_EQ(window.last, RingStream::start + 399'999);
  EXPECT_GT(window.carried, 50u);
  EXPECT_FALSE(window.losses.contains("write_failed"));
}

TEST(BoundedRecording, RefusesWhatIsBeyondItsSizeAndCountsIt) {
  TemporaryDirectory directory;
  RingStream stream;
  auto writer = std::move(
      TraceWriter::create(directory / "x.culprit", stream.sample.tables, stream.sample.info(), {.max_size = limit})
          .value());
  EXPECT_FALSE(writer->is_full());
  send(stream, *writer, 150'000);
  EXPECT_TRUE(writer->is_full());
  ASSERT_TRUE(writer->finish(stream.sample.info()));
  EXPECT_LE(size_of(directory / "x.culprit"), limit);
  EXPECT_GT(size_of(directory / "x.culprit"), limit / 10 * 8);
  RingWindow window(*open_trace(directory / "x.culprit").value());
  EXPECT_EQ(window.first, RingStream::start);
  EXPECT_EQ(window.losses["size_limit"] + window.events, 150'000u);
}

TEST(BoundedRecording, RefusesLimitsThatMakeNoSense) {
  TemporaryDirectory directory;
  SampleProgram sample;
  auto both = TraceWriter::create(directory / "x", sample.tables, {}, {.max_size = limit, .circular = limit});
  ASSERT_FALSE(both);
  EXPECT_THAT(both.error().what, HasSubstr("either circular or"));
  auto small = TraceWriter::create(directory / "x", sample.tables, {}, {.circular = 4096});
  ASSERT_FALSE(small);
  EXPECT_THAT(small.error().what, HasSubstr("1 MiB at least"));
}

}  // namespace
}  // namespace culprit
