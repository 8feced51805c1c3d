// Allocations in recordings: what goes in comes out, and nothing else does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "support/sample_events.h"
#include "trace/allocation_encoder.h"
#include "trace/event_decoder.h"
#include "trace/trace_reader.h"
#include "trace/trace_writer.h"

namespace culprit {
namespace {

class WithoutTheRest : public EventSink {
 public:
  void on_handle(const HandleEvent&) override {}
  void on_process(const ProcessEvent&) override {}
  void on_thread(const ThreadEvent&) override {}
  void on_snapshot(const HandleSnapshot&) override {}
  void on_mark(const Mark&) override {}
  void on_loss(const Loss&) override {}
};

class Collected final : public WithoutTheRest {
 public:
  void on_handle(const HandleEvent& event) override { order.push_back(event.time); }
  void on_loss(const Loss& loss) override { losses.push_back(loss); }
  void on_allocation(const AllocationEvent& event) override {
    order.push_back(event.time);
    events.push_back(event);
  }
  void on_unreachable(const UnreachableBlocks& blocks) override { unreachable.push_back(blocks); }
  std::vector<AllocationEvent> events;
  void on_mapping(const MappingEvent& event) override {
    order.push_back(event.time);
    mappings.push_back(event);
  }
  std::vector<UnreachableBlocks> unreachable;
  std::vector<MappingEvent> mappings;
  std::vector<Time> order;
  std::vector<Loss> losses;
};

struct Written {
  explicit Written(const SampleProgram& sample)
      : program(sample), writer(std::move(TraceWriter::create_temporary(program.tables, program.info()).value())) {}

  // With the ids that the program has for what the recording names.
  Collected read() {
    EXPECT_TRUE(writer->finish(program.info()));
    trace = std::move(writer->reopen().value());
    Collected collected;
    EXPECT_TRUE(trace->replay(collected));
    for (AllocationEvent& event : collected.events) {
      EXPECT_EQ(trace->tables().process(event.process).pid, 100u);
      event.process = program.server;
      if (event.stack == StackId::none) continue;
      EXPECT_EQ(trace->tables().stacks.frames(event.stack).size(), 3u);
      event.stack = program.open_stack;
    }
    return collected;
  }

  const SampleProgram& program;
  std::unique_ptr<TraceWriter> writer;
  std::unique_ptr<Trace> trace;
};

AllocationEvent made(const SampleProgram& program, Time time, uint64_t address, uint64_t size, uint32_t tid = 100) {
  return {.time = time,
          .address = address,
          .size = size,
          .process = program.server,
          .tid = tid,
          .stack = program.open_stack,
          .function = AllocatorFunction::calloc};
}

AllocationEvent released(const SampleProgram& program, Time time, uint64_t address, uint32_t tid = 100) {
  return {.time = time,
          .address = address,
          .process = program.server,
          .tid = tid,
          .function = AllocatorFunction::free,
          .action = AllocationAction::release};
}

TEST(AllocationsInATrace, ComeBackAsTheyWere) {
  SampleProgram program;
  Written written(program);
  std::vector<AllocationEvent> all = {
      made(program, 1000, 0x5555'0000'0010, 24),
      made(program, 1001, 0x7fff'ffff'fff0, UINT64_MAX),  // any size
      made(program, 1002, 0x7000'0000'0003, 0),           // of an allocator with other ideas of alignment
      released(program, 1003, 0x5555'0000'0010),
      made(program, 1003, 0x5555'0000'0010, 25),
      released(program, 5'000'000'000, 0x7fff'ffff'fff0),
  };
  all[2].stack = StackId::none;
  all[4].function = AllocatorFunction::realloc;
  for (const AllocationEvent& event : all) written.writer->on_allocation(event);
  Collected collected = written.read();
  EXPECT_EQ(collected.events, all);
  EXPECT_THAT(collected.losses, testing::IsEmpty());
}

TEST(AllocationsInATrace, OfSeveralThreadsAndHandlesComeInOrderOfTime) {
  SampleProgram program;
  Written written(program);
  std::vector<AllocationEvent> all;
  for (Time i = 0; i < 1000; ++i)
    all.push_back(made(program, 10'000 + i, 0x1000 + 16 * static_cast<uint64_t>(i), 8, 100 + i % 3));
  // Rings are drained one after another.
  for (uint32_t tid = 100; tid < 103; ++tid)
    for (const AllocationEvent& event : all)
      if (event.tid == tid) written.writer->on_allocation(event);
  written.writer->on_handle(program.opened(10'500, 3));
  written.writer->on_handle(program.opened(9'000, 4));
  Collected collected = written.read();
  EXPECT_EQ(collected.events, all);
  EXPECT_EQ(collected.order.size(), 1002u);
  EXPECT_TRUE(std::is_sorted(collected.order.begin(), collected.order.end()));
}

TEST(AllocationsInATrace, StandAmongMappingsInOrderOfTime) {
  SampleProgram program;
  Written written(program);
  const MappingEvent mapped{.time = 2000,
                            .address = 0x7fff'ffff'f000,
                            .size = uint64_t{1} << 46,
                            .process = program.server,
                            .tid = 101,
                            .stack = program.open_stack,
                            .kind = MappingKind::stack};
  const MappingEvent gone{.time = 4000,
                          .address = 0x7fff'ffff'f000,
                          .size = 4096,
                          .process = program.server,
                          .tid = 102,
                          .action = MappingAction::leave};
  written.writer->on_mapping(gone);
  written.writer->on_allocation(made(program, 3000, 0x1000, 8));
  written.writer->on_mapping(mapped);
  Collected collected = written.read();
  EXPECT_THAT(collected.order, testing::ElementsAre(2000, 3000, 4000));
  ASSERT_EQ(collected.mappings.size(), 2u);
  EXPECT_EQ(written.trace->tables().stacks.frames(collected.mappings[0].stack).size(), 3u);
  collected.mappings[0].stack = program.open_stack;
  for (MappingEvent& event : collected.mappings) {
    EXPECT_EQ(written.trace->tables().process(event.process).pid, 100u);
    event.process = program.server;
  }
  EXPECT_THAT(collected.mappings, testing::ElementsAre(mapped, gone));
}

TEST(AllocationsInATrace, OfOneTimeKeepTheOrderOfRecording) {
  SampleProgram program;
  Written written(program);
  std::vector<AllocationEvent> all;
  for (int i = 0; i < 50; ++i) {
    all.push_back(made(program, 7, 0x1000, 8, 100));
    all.push_back(released(program, 7, 0x1000, 101));
  }
  for (const AllocationEvent& event : all) written.writer->on_allocation(event);
  EXPECT_EQ(written.read().events, all);
}

TEST(AllocationsInATrace, MayBeMoreThanABlockHolds) {
  SampleProgram program;
  Written written(program);
  constexpr uint64_t count = 600'000;
  for (uint64_t i = 0; i < count; ++i) {
    const AllocationEvent event =
        made(program, static_cast<Time>(1000 + i * 50), 0x10000 + (i % 777) * 32, 100 + i % 5);
    written.writer->on_allocation(event);
  }
  const uint64_t bytes = written.writer->bytes_written();
  Collected collected = written.read();
  ASSERT_EQ(collected.events.size(), count);
  EXPECT_EQ(collected.events.back(), made(program, static_cast<Time>(1000 + (count - 1) * 50),
                                          0x10000 + ((count - 1) % 777) * 32, 100 + (count - 1) % 5));
  EXPECT_LT(bytes, 3 * count);
}

// Threads are drained one after another: what they did lies side by side, and some of it came late.
TEST(AllocationsInATrace, OfThreadsComeInOrderOfTimeAndOfRecording) {
  SampleProgram program;
  Written written(program);
  std::vector<AllocationEvent> recorded;
  for (uint32_t round = 0; round < 40; ++round)
    for (uint32_t tid = 100; tid < 103; ++tid)
      for (uint32_t i = 0; i < 50; ++i)  // equal times in all threads, and one that lags behind
        recorded.push_back(made(program, static_cast<Time>(round * 100 + i - (tid == 101 ? 60 : 0) + 1000),
                                0x10000 + recorded.size() * 64, 40, tid));
  for (const AllocationEvent& event : recorded) written.writer->on_allocation(event);
  std::ranges::stable_sort(recorded, {}, &AllocationEvent::time);
  EXPECT_EQ(written.read().events, recorded);
}

TEST(AllocationsInATrace, ComeInBatchesToASinkThatTakesThem) {
  class Taker final : public WithoutTheRest {
   public:
    void on_process(const ProcessEvent&) override { counts.push_back(0); }
    void on_allocation(const AllocationEvent&) override { ADD_FAILURE() << "one alone"; }
    void on_allocations(std::span<const AllocationEvent> events) override { counts.back() += events.size(); }
    std::vector<size_t> counts{0};
  };
  SampleProgram program;
  Written written(program);
  for (Time time = 1; time <= 100; ++time) written.writer->on_allocation(made(program, time * 10, 0x10000, 40));
  written.writer->on_process({.time = 305, .process = program.server, .change = ProcessChange::executed});
  ASSERT_TRUE(written.writer->finish(program.info()));
  Taker taker;
  ASSERT_TRUE(written.writer->reopen().value()->replay(taker));
  EXPECT_THAT(taker.counts, testing::ElementsAre(30, 70));
}

// A fuzzer does not get through the compression.
TEST(AllocationsInATrace, WhateverStandsInABlockReadingItComesToAnEnd) {
  SampleProgram program;
  DefinitionsWriter definitions(program.tables);
  AllocationEncoder encoder(definitions);
  for (uint64_t i = 0; i < 300; ++i) {
    const uint64_t address = 0x10000 + (i * 7919 % 50) * 64;
    const auto tid = static_cast<uint32_t>(100 + i % 3);
    encoder.add(i % 2 == 0 ? made(program, static_cast<Time>(i), address, i % 40, tid)
                           : released(program, static_cast<Time>(i), address, tid));
  }
  const BlockHeader header{.first_time = encoder.first_time(), .last_time = encoder.last_time(), .event_count = 300};
  const std::string whole = encoder.take();
  BlockNumbers numbers;
  numbers.processes.push_back(program.server);
  numbers.stacks.resize(8, StackId::none);
  ASSERT_TRUE(decode_allocations(as_bytes(whole), header, numbers));
  std::mt19937 random(1);  // NOLINT: the same bytes each time
  size_t read = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = whole.substr(0, i % 4 == 0 ? random() % whole.size() : whole.size());
    for (uint32_t changes = random() % 4; changes > 0 && !bytes.empty(); --changes)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    if (auto block = decode_allocations(as_bytes(bytes), header, numbers)) {
      ++read;
      EXPECT_EQ(block->allocations.size(), 300u);
      EXPECT_TRUE(std::ranges::is_sorted(block->allocations, {}, &AllocationEvent::time));
    }
  }
  EXPECT_GT(read, 100u);
}

TEST(AllocationsInATrace, AreSaidToBeThere) {
  SampleProgram program;
  TraceInfo info = program.info();
  info.allocations = 1;
  auto writer = std::move(TraceWriter::create_temporary(program.tables, info).value());
  EXPECT_EQ(writer->reopen().value()->info().allocations, 1u);
  ASSERT_TRUE(writer->finish(info));
  EXPECT_EQ(writer->reopen().value()->info().allocations, 1u);
}

TEST(AllocationsInATrace, KeepWhatWasUnreachableInOrder) {
  SampleProgram program;
  Written written(program);
  written.writer->on_unreachable({1000, program.server, "", {{16, false}, {4096, true, 16}, {UINT64_MAX - 7, true}}});
  written.writer->on_unreachable({1001, program.shell, "it was gone", {}});
  Collected collected = written.read();
  ASSERT_EQ(collected.unreachable.size(), 2u);
  EXPECT_EQ(collected.unreachable[0].time, 1000);
  EXPECT_EQ(collected.unreachable[0].why_not, "");
  EXPECT_EQ(collected.unreachable[0].blocks,
            (std::vector<UnreachableBlocks::Block>{{16, false}, {4096, true, 16}, {UINT64_MAX - 7, true}}));
  EXPECT_EQ(collected.unreachable[1].why_not, "it was gone");
  EXPECT_TRUE(collected.losses.empty());
}

}  // namespace
}  // namespace culprit
