#include "capture/hand_over.h"

#include <gmock/gmock.h>

#include <thread>

#include "collected_events.h"

namespace culprit {
namespace {

constexpr uint64_t plenty = 1 << 20;

HandleEvent event_in(HandOver& from, ProcessId process, int64_t value) {
  TraceTables& tables = from.tables();
  Frame inner{id_at<ModuleId>(1), 0x20, FoundBy::registers}, outer{id_at<ModuleId>(1), 0x10, FoundBy::unwind_table};
  HandleEvent event;
  event.process = process;
  event.value = value;
  event.call = tables.intern("openat");
  event.name = tables.intern("/etc/passwd");
  event.stack = tables.stacks.intern(tables.stacks.intern(StackId::truncated, outer), inner);
  return event;
}

ProcessId add_process(HandOver& to, uint32_t pid) {
  to.tables().processes.push_back({.pid = pid, .name = "server"});
  return id_at<ProcessId>(to.tables().processes.size() - 1);
}

TEST(HandOver, TranslatesWhatIdsMean) {
  HandOver between(plenty, plenty);
  CollectedEvents events;
  // The tables of the other side have things of their own.
  events.tables.intern("something else");
  events.tables.modules.push_back({"/bin/other", ""});
  events.tables.processes.push_back({.pid = 1});
  events.tables.stacks.intern(StackId::none, {id_at<ModuleId>(1), 1, FoundBy::scan});

  between.tables().modules.push_back({"/bin/server", "abc"});
  ProcessId process = add_process(between, 77);
  between.on_handle(event_in(between, process, 3));
  ASSERT_TRUE(between.deliver(events.tables, events));
  between.on_handle(event_in(between, process, 4));
  ASSERT_TRUE(between.deliver(events.tables, events));
  ASSERT_EQ(events.handles.size(), 2u);
  const HandleEvent& event = events.handles[1];
  EXPECT_EQ(events.tables.process(event.process).pid, 77u);
  EXPECT_EQ(events.tables.text(event.call), "openat");
  EXPECT_EQ(events.tables.text(event.name), "/etc/passwd");
  EXPECT_TRUE(events.tables.stacks.truncated(event.stack));
  std::vector<Frame> frames = events.tables.stacks.frames(event.stack);
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(events.tables.module(frames[0].module).path, "/bin/server");
  EXPECT_EQ(frames[0].offset, 0x20u);
  EXPECT_FALSE(between.deliver(events.tables, events));
  EXPECT_EQ(between.delivered_handle_events(), 2u);
}

TEST(HandOver, TellsWhatAProcessIsCalledNow) {
  HandOver between(plenty, plenty);
  CollectedEvents events;
  ProcessId process = add_process(between, 77);
  between.on_process({.process = process});
  between.deliver(events.tables, events);
  between.tables().processes[index_of(process)].name = "renamed";
  between.process_changed(process);
  between.deliver(events.tables, events);
  EXPECT_EQ(events.tables.process(events.processes[0].process).name, "renamed");
}

TEST(HandOver, DropsAndCountsHandleEventsButNothingElseWhenNobodyTakesThem) {
  HandOver between(1000, plenty);
  between.tables().modules.push_back({"/bin/server", "abc"});
  ProcessId process = add_process(between, 77);
  for (int i = 0; i < 1000; i++) between.on_handle(event_in(between, process, i));
  between.on_process({.process = process, .change = ProcessChange::exited});
  CollectedEvents events;
  between.deliver(events.tables, events);
  EXPECT_GT(between.dropped(), 900u);
  EXPECT_EQ(events.handles.size() + between.dropped(), 1000u);
  EXPECT_EQ(events.processes.size(), 1u);
}

TEST(HandOver, LosesNothingToSomebodyWhoKeepsTaking) {
  HandOver between(10'000, plenty);
  between.tables().modules.push_back({"/bin/server", "abc"});
  CollectedEvents events;
  std::thread recording([&] {
    ProcessId process = add_process(between, 77);
    for (int i = 0; i < 20'000; i++) between.on_handle(event_in(between, process, i));
    between.alert();
  });
  while (events.handles.size() + between.dropped() < 20'000) {
    between.deliver(events.tables, events);
    between.wait(std::chrono::milliseconds(1));
  }
  recording.join();
  EXPECT_EQ(between.dropped(), 0u);
  for (int i = 0; i < 20'000; i++) ASSERT_EQ(events.handles[static_cast<size_t>(i)].value, i);
}

}  // namespace
}  // namespace culprit
