#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "base/syscall.h"
#include "support/event_log.h"
#include "support/sample_events.h"
#include "trace/block.h"
#include "trace/event_encoder.h"
#include "trace/trace_format.h"
#include "trace/trace_reader.h"
#include "trace/trace_writer.h"

namespace culprit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Five blocks: in each, what send_everything sends, but at times of its own; and an end block.
struct SmallRecording {
  SmallRecording() {
    auto writer = std::move(TraceWriter::create(directory / "x.culprit", sample.tables, sample.info()).value());
    for (int64_t block = 0; block < 5; ++block) {
      for (int64_t i = 0; i < 4; ++i) writer->on_handle(sample.opened(1000 * (block + 1) + i, 10 * block + i));
      if (block == 2) writer->on_mark({3500, "middle"});
      writer->flush();
    }
    EXPECT_TRUE(writer->finish(sample.info()));
    bytes = read_whole_file(directory / "x.culprit").value();
    all = lines_of(bytes);
    EXPECT_EQ(all.size(), 21u);
    for (size_t at = bytes.find(magic); at != std::string::npos; at = bytes.find(magic, at + 1)) blocks.push_back(at);
    EXPECT_EQ(blocks.size(), 6u);
  }

  static std::vector<std::string> lines_of(std::string_view bytes) {
    auto trace = open_trace_in_memory(as_bytes(bytes), "x.culprit");
    return trace ? replayed(**trace).lines : std::vector<std::string>{};
  }

  static constexpr std::string_view magic =
      "\x8f"
      "block\r\n";
  TemporaryDirectory directory;
  SampleProgram sample;
  std::string bytes;
  std::vector<std::string> all;
  std::vector<size_t> blocks;
};

Result<std::unique_ptr<Trace>> opened(std::string_view bytes) {
  return open_trace_in_memory(as_bytes(bytes), "x.culprit");
}

TEST(DamagedTrace, TruncatedAnywhereYieldsTheEventsOfItsWholeBlocks) {
  SmallRecording recording;
  for (size_t size = 0; size < recording.bytes.size(); ++size) {
    std::string copy = recording.bytes.substr(0, size);
    auto trace = opened(copy);
    if (!trace) {
      EXPECT_LT(size, recording.blocks[0]);
      EXPECT_THAT(trace.error().what, HasSubstr("x.culprit"));
      EXPECT_TRUE(trace.error().where.has_value());
      continue;
    }
    EventLog log = replayed(**trace);
    ASSERT_LE(log.lines.size(), recording.all.size());
    EXPECT_TRUE(std::equal(log.lines.begin(), log.lines.end(), recording.all.begin())) << size;
    auto whole =
        std::count_if(recording.blocks.begin() + 1, recording.blocks.end(), [&](size_t end) { return end <= size; });
    EXPECT_GE(log.lines.size(), 4u * static_cast<size_t>(whole));
    EXPECT_FALSE((*trace)->info().complete);
    EXPECT_TRUE(log.lost("recording_incomplete"));
    EXPECT_FALSE(log.lost("block_damaged")) << size;
  }
}

TEST(DamagedTrace, WithAnyBitFlippedLosesAtMostOneBlockAndSaysSo) {
  SmallRecording recording;
  for (size_t at = 0; at < recording.bytes.size(); ++at) {
    std::string copy = recording.bytes;
    copy[at] = static_cast<char>(copy[at] ^ (1 << (at % 8)));
    auto trace = opened(copy);
    if (!trace) {
      EXPECT_LT(at, recording.blocks[0]);
      continue;
    }
    EventLog log = replayed(**trace);
    EXPECT_TRUE(std::includes(recording.all.begin(), recording.all.end(), log.lines.begin(), log.lines.end())) << at;
    EXPECT_GE(log.lines.size(), recording.all.size() - 5);
    EXPECT_TRUE(log.lost("block_damaged 1")) << at;
    EXPECT_EQ((*trace)->info().complete, at < recording.blocks.back());
  }
}

TEST(DamagedTrace, BlocksAreReadableInIsolation) {
  SmallRecording recording;
  std::string header = recording.bytes.substr(0, recording.blocks[0]);
  size_t lines = 0;
  for (size_t i = 0; i + 1 < recording.blocks.size(); ++i) {
    std::string block = recording.bytes.substr(recording.blocks[i], recording.blocks[i + 1] - recording.blocks[i]);
    std::string alone = header + block;
    auto trace = opened(alone);
    ASSERT_TRUE(trace);
    EventLog log = replayed(**trace);
    EXPECT_TRUE(std::includes(recording.all.begin(), recording.all.end(), log.lines.begin(), log.lines.end()));
    lines += log.lines.size();
  }
  EXPECT_EQ(lines, recording.all.size());
}

TEST(DamagedTrace, CountsBlocksThatWereCutOut) {
  SmallRecording recording;
  std::string copy = recording.bytes;
  copy.erase(recording.blocks[1], recording.blocks[3] - recording.blocks[1]);
  auto trace = opened(copy);
  ASSERT_TRUE(trace);
  EXPECT_TRUE(replayed(**trace).lost("block_damaged 2"));
  EXPECT_TRUE((*trace)->info().complete);
}

TEST(DamagedTrace, FindsTheNextBlockAfterForeignBytes) {
  SmallRecording recording;
  std::string copy = recording.bytes;
  copy.insert(recording.blocks[2], "some bytes that are \x8f no block");
  auto trace = opened(copy);
  ASSERT_TRUE(trace);
  EventLog log = replayed(**trace);
  EXPECT_EQ(log.lines, recording.all);
  EXPECT_TRUE(log.lost("block_damaged 1"));
}

TEST(DamagedTrace, SaysUpToWhenAnIncompleteOneKnowsEvents) {
  SmallRecording recording;
  std::string copy = recording.bytes.substr(0, recording.blocks.back());
  auto trace = opened(copy);
  ASSERT_TRUE(trace);
  EXPECT_THAT(replayed(**trace).losses,
              ElementsAre(HasSubstr("recording_incomplete 1: its recorder did not finish, or the end was cut off; "
                                    "events are known up to 0.000 s after its start")));
  EXPECT_EQ((*trace)->info().ended, 5003);
}

TEST(DamagedTrace, OfANewerFormatIsRefusedInOneSentence) {
  SmallRecording recording;
  recording.bytes[8] = 2;
  auto trace = opened(recording.bytes);
  ASSERT_FALSE(trace);
  EXPECT_EQ(trace.error().kind, ErrorKind::unsupported);
  EXPECT_EQ(trace.error().what, "x.culprit was written by a newer culprit (format 2." +
                                    std::to_string(trace_format::minor_version) +
                                    " at offset 8; this one reads up to 1.x)");
}

TEST(DamagedTrace, EventsOfANewerMinorVersionAreSkippedAndTold) {
  SampleProgram program;
  DefinitionsWriter definitions(program.tables);
  const std::vector<Loss> no_losses;
  EventEncoder encoder(definitions);
  encoder.add(Mark{.time = 100, .name = "known"});
  encoder.add(Mark{.time = 200, .name = "later"});
  std::string events = encoder.take();
  // A rare event is kind, time, size of the rest; and a mark's rest is its name behind the size of that.
  events.at(events.find("later") - 1 - 1 - 8 - 1) = 99;
  constexpr std::string_view header(
      "\x8f"
      "culprit\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
      24);
  const std::string bytes =
      std::string(header) + seal_block({.kind = 1, .version = 1, .first_time = 100, .last_time = 200, .event_count = 2},
                                       definitions.take({no_losses, std::nullopt, {}}), events);
  auto trace = open_trace_in_memory(as_bytes(bytes), "x.culprit", Checksums::ignore);
  ASSERT_TRUE(trace);
  EXPECT_THAT(replayed(**trace).losses,
              testing::Contains(HasSubstr("block_damaged 1: events made by a newer culprit")));
}

struct Refusal {
  std::string bytes, sentence;
};

TEST(DamagedTrace, WhatIsNoRecordingIsNamedInOneSentence) {
  for (const Refusal& refusal :
       {Refusal{"", "x.culprit is empty, not a recording"},
        Refusal{"\x7f"
                "ELF and more of that kind of bytes, quite long",
                "x.culprit is not a culprit recording (it does not begin like one, at offset 0)"},
        Refusal{"\x8f"
                "cul",
                "x.culprit ends at offset 4, inside its header"}}) {
    auto trace = opened(refusal.bytes);
    ASSERT_FALSE(trace);
    EXPECT_EQ(trace.error().kind, ErrorKind::corrupt);
    EXPECT_EQ(trace.error().what, refusal.sentence);
  }
}

TEST(DamagedTrace, ADirectoryAFifoAndNothingAtAllAreErrors) {
  TemporaryDirectory directory;
  auto is_directory = open_trace(directory.path);
  ASSERT_FALSE(is_directory);
  EXPECT_THAT(is_directory.error().what, HasSubstr("is a directory, not a recording"));
  ASSERT_EQ(::mkfifo((directory / "fifo").c_str(), 0600), 0);
  auto is_fifo = open_trace(directory / "fifo");
  ASSERT_FALSE(is_fifo);
  EXPECT_THAT(is_fifo.error().what, HasSubstr("is no regular file"));
  auto is_nothing = open_trace(directory / "nothing");
  ASSERT_FALSE(is_nothing);
  EXPECT_EQ(is_nothing.error().kind, ErrorKind::not_found);
}

}  // namespace
}  // namespace culprit
