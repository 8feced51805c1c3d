// The collector against a fake agent: a forked child that writes the shared memory as the wire contract says.
#include "capture/agent_recorder.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#include <atomic>
#include <thread>

#include "collected_events.h"

namespace culprit {
namespace {

// What runs in the child. It owns no slot until it claims one.
class FakeAgent {
 public:
  explicit FakeAgent(SessionMemory& memory) : memory_(memory) {}

  void claim_process(uint32_t parent_pid) {
    for (index_ = 0; memory_.process(index_).state != CULPRIT_PROCESS_FREE; index_++) {
    }
    culprit_process& record = memory_.process(index_);
    record.pid = static_cast<uint32_t>(getpid());
    record.parent_pid = parent_pid;
    record.flags = parent_pid == 0 ? CULPRIT_PROCESS_EXECED : CULPRIT_PROCESS_FORKED;
    record.begin_tsc = __rdtsc();
    record.sites_patched = 1;
    store_shared(record.state, CULPRIT_PROCESS_LIVE);
  }
  culprit_slot& claim_slot(uint32_t number, uint32_t tid) {
    culprit_slot& slot = memory_.slot(number);
    slot.pid = static_cast<uint32_t>(getpid());
    slot.tid = tid;
    slot.process = index_;
    std::atomic_ref<uint32_t> end(memory_.header().slot_end);
    for (uint32_t known = end; known < number + 1 && !end.compare_exchange_weak(known, number + 1);) {
    }
    store_shared(slot.state, CULPRIT_SLOT_LIVE);
    return slot;
  }
  static void write(culprit_slot& slot, culprit_record record) {
    while (slot.head - load_shared(slot.tail) >= CULPRIT_RING_RECORDS) usleep(100);
    record.tsc = __rdtsc();
    slot.ring[slot.head % CULPRIT_RING_RECORDS] = record;
    store_shared(slot.head, slot.head + 1);
  }
  static void open(culprit_slot& slot, int value, uint32_t node = 0) {
    write(slot, {CULPRIT_RECORD_OPEN, 0, 290, node, 0, value, 0, 0});
  }
  static void close(culprit_slot& slot, int value) { write(slot, {CULPRIT_RECORD_CLOSE, 0, 3, 0, 0, value, 0, 0}); }
  static bool request(culprit_slot& slot, uint32_t kind, uint64_t argument = 0) {
    uint32_t number = slot.reply_number + 1;
    slot.request_kind = kind;
    slot.request_argument = argument;
    store_shared(slot.request_number, number);
    while (load_shared(slot.reply_number) != number) usleep(100);
    return slot.reply_status == 0;
  }
  culprit_process& record() { return memory_.process(index_); }

 private:
  SessionMemory& memory_;
  uint32_t index_ = 0;
};

class AgentRecorderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto recorder = AgentRecorder::create("/agent.so", events_.tables, events_, 128);
    ASSERT_TRUE(recorder) << recorder.error().what;
    recorder_ = std::move(*recorder);
  }

  // Runs `child` as the launched program and serves it to its end. Its wait status.
  template <typename Child>
  int run(Child child) {
    pid_t pid = fork();
    if (pid == 0) {
      FakeAgent agent(recorder_->memory());
      child(agent);
      _exit(0);
    }
    recorder_->launched(static_cast<uint32_t>(pid), monotonic_now(), false, "");
    int status = 0;
    for (;;) {
      recorder_->round();
      siginfo_t info{};
      waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT);
      if (info.si_pid == pid) break;
      recorder_->sleep(std::chrono::microseconds(500));
    }
    siginfo_t info{};
    waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT);
    status = info.si_code == CLD_EXITED ? info.si_status << 8 : info.si_status;
    recorder_->ended(static_cast<uint32_t>(pid), status);
    waitpid(pid, nullptr, 0);
    recorder_->finish();
    return status;
  }

  CollectedEvents events_;
  std::unique_ptr<AgentRecorder> recorder_;
};

void code_address() {}

TEST_F(AgentRecorderTest, TurnsRecordsIntoEventsWithTheirStacks) {
  auto address = reinterpret_cast<uint64_t>(&code_address) + 1;
  int status = run([&](FakeAgent& agent) {
    agent.claim_process(0);
    culprit_slot& slot = agent.claim_slot(0, static_cast<uint32_t>(getpid()));
    if (!agent.request(slot, CULPRIT_REQUEST_HELLO)) _exit(9);
    agent.write(slot, {CULPRIT_RECORD_NODE, 0, 0, 2, 0, 0, 0, address + 8});
    agent.write(slot, {CULPRIT_RECORD_NODE, 0, 0, 3, 0, 0, 2, address});
    agent.open(slot, 17, 3);
    agent.close(slot, 17);
    if (!agent.request(slot, CULPRIT_REQUEST_EXITING)) _exit(8);
  });
  EXPECT_EQ(status, 0);
  ASSERT_EQ(events_.handles.size(), 2u);
  const HandleEvent& opened = events_.handles[0];
  EXPECT_EQ(opened.value, 17);
  EXPECT_EQ(events_.tables.text(opened.call), "eventfd2");
  EXPECT_EQ(events_.tables.text(opened.type), "eventfd");
  auto frames = events_.tables.stacks.frames(opened.stack);
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_NE(events_.tables.module(frames[0].module).path.find("capture_tests"), std::string::npos);
  EXPECT_EQ(frames[1].offset - frames[0].offset, 8u);
  EXPECT_LE(opened.time, events_.handles[1].time);
  ASSERT_EQ(events_.snapshots.size(), 2u);
  EXPECT_TRUE(events_.snapshots[0].held);
  EXPECT_EQ(events_.snapshots[1].reason, SnapshotReason::exit);
  EXPECT_EQ(events_.lost(LossKind::table_not_checked), 0u);
  EXPECT_EQ(events_.lost(LossKind::process_not_followed), 0u);
}

TEST_F(AgentRecorderTest, HelloIsAnsweredWithLibcsSitesAndRangesInOrder) {
  int status = run([&](FakeAgent& agent) {
    agent.claim_process(0);
    culprit_slot& slot = agent.claim_slot(0, static_cast<uint32_t>(getpid()));
    if (!agent.request(slot, CULPRIT_REQUEST_HELLO)) _exit(1);
    culprit_process& record = agent.record();
    if (record.range_count < 1 || record.ranges_sequence % 2 != 0) _exit(2);
    if (record.patch_list_count != 2) _exit(8);
    for (uint32_t i = 1; i < record.range_count; i++) {
      if (record.ranges[i].start < record.ranges[i - 1].end) _exit(3);
    }
    // The range that holds libc's getpid must have a table, and its bias is a page boundary.
    auto pc = reinterpret_cast<uint64_t>(&getppid);
    agent.request(slot, CULPRIT_REQUEST_RANGES, pc);
    for (uint32_t i = 0; i < record.range_count; i++) {
      const culprit_range& range = record.ranges[i];
      if (pc < range.start || pc >= range.end) continue;
      if (range.rows == 0 || range.row_count < 1000 || range.bias % 4096 != 0) _exit(4);
      int local = 0;
      auto stack = reinterpret_cast<uint64_t>(&local);
      if (!agent.request(slot, CULPRIT_REQUEST_STACK, stack)) _exit(5);
      _exit(slot.reply_start <= stack && stack < slot.reply_end ? 0 : 6);
    }
    _exit(7);
  });
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(AgentRecorderTest, AKilledProcessLosesNothingItWroteAndIsReportedUnchecked) {
  int status = run([&](FakeAgent& agent) {
    agent.claim_process(0);
    culprit_slot& slot = agent.claim_slot(0, static_cast<uint32_t>(getpid()));
    agent.request(slot, CULPRIT_REQUEST_HELLO);
    for (int i = 0; i < 1000; i++) agent.open(slot, 100 + i);
    kill(getpid(), SIGKILL);
  });
  EXPECT_EQ(status, SIGKILL);
  EXPECT_EQ(events_.handles.size(), 1000u);
  ASSERT_EQ(events_.changes(ProcessChange::killed), 1u);
  EXPECT_EQ(events_.processes.back().status, SIGKILL);
  EXPECT_EQ(events_.lost(LossKind::table_not_checked), 1u);
  EXPECT_EQ(recorder_->memory().slot(0).state, CULPRIT_SLOT_FREE);
}

TEST_F(AgentRecorderTest, RingsOf64ThreadsComeOutCompleteAndInOrderOfTime) {
  constexpr int threads = 64, pairs = 2000;
  run([&](FakeAgent& agent) {
    agent.claim_process(0);
    culprit_slot& first = agent.claim_slot(0, static_cast<uint32_t>(getpid()));
    agent.request(first, CULPRIT_REQUEST_HELLO);
    std::vector<std::thread> running;
    for (int t = 0; t < threads; t++) {
      running.emplace_back([&agent, t] {
        culprit_slot& slot = agent.claim_slot(static_cast<uint32_t>(t + 1), static_cast<uint32_t>(gettid()));
        for (int i = 0; i < pairs; i++) {
          agent.open(slot, 1000 + t);
          agent.close(slot, 1000 + t);
        }
        store_shared(slot.state, CULPRIT_SLOT_CLOSED);
      });
    }
    for (std::thread& thread : running) thread.join();
    agent.request(first, CULPRIT_REQUEST_EXITING);
  });
  ASSERT_EQ(events_.handles.size(), size_t{2} * threads * pairs);
  std::vector<int> open(threads);
  for (const HandleEvent& event : events_.handles) {
    int& state = open[static_cast<size_t>(event.value - 1000)];
    state += event.action == HandleAction::open ? 1 : -1;
    ASSERT_TRUE(state == 0 || state == 1);
  }
  EXPECT_EQ(events_.lost(LossKind::ring_full), 0u);
}

TEST_F(AgentRecorderTest, AVforkChildActsOnItsParentsThread) {
  constexpr uint32_t child_pid = 0x3ffffffe;  // no such process
  run([&](FakeAgent& agent) {
    agent.claim_process(0);
    culprit_slot& slot = agent.claim_slot(0, static_cast<uint32_t>(getpid()));
    agent.request(slot, CULPRIT_REQUEST_HELLO);
    agent.open(slot, 5);
    agent.write(slot, {CULPRIT_RECORD_FORK, 0, 58, 0, 0, static_cast<int32_t>(child_pid), 0, 0x4100});
    agent.write(slot, {CULPRIT_RECORD_SWITCH, 0, 0, 0, 0, 0, child_pid, 0});
    agent.close(slot, 5);
    agent.write(slot, {CULPRIT_RECORD_EXIT, 0, 231, 0, 0, 3, 0, 0});
    agent.write(slot, {CULPRIT_RECORD_SWITCH, 0, 0, 0, 0, 0, 0, 0});
    agent.open(slot, 6);
    agent.request(slot, CULPRIT_REQUEST_EXITING);
  });
  ASSERT_EQ(events_.handles.size(), 3u);
  EXPECT_NE(events_.handles[1].process, events_.handles[0].process);
  EXPECT_EQ(events_.handles[2].process, events_.handles[0].process);
  EXPECT_EQ(events_.tables.process(events_.handles[1].process).parent, events_.handles[0].process);
  EXPECT_EQ(events_.changes(ProcessChange::forked), 1u);
}

TEST_F(AgentRecorderTest, AForkedProcessIsTheChildOfItsParent) {
  run([&](FakeAgent& agent) {
    agent.claim_process(0);
    culprit_slot& slot = agent.claim_slot(0, static_cast<uint32_t>(getpid()));
    agent.request(slot, CULPRIT_REQUEST_HELLO);
    auto parent = static_cast<uint32_t>(getpid());
    pid_t child = fork();
    if (child == 0) {
      agent.claim_process(parent);
      culprit_slot& mine = agent.claim_slot(1, static_cast<uint32_t>(getpid()));
      agent.open(mine, 30);
      agent.request(mine, CULPRIT_REQUEST_EXITING);
      _exit(4);
    }
    agent.write(slot, {CULPRIT_RECORD_FORK, 0, 57, 0, 0, child, 0, 0});
    waitpid(child, nullptr, 0);
    agent.request(slot, CULPRIT_REQUEST_EXITING);
  });
  ASSERT_EQ(events_.changes(ProcessChange::forked), 1u);
  EXPECT_EQ(events_.changes(ProcessChange::exited) + events_.changes(ProcessChange::killed), 2u);
  ASSERT_EQ(events_.handles.size(), 1u);
  ProcessId child = events_.handles[0].process;
  EXPECT_EQ(index_of(events_.tables.process(child).parent), 1u);
}

TEST_F(AgentRecorderTest, GarbageIsCountedAndHurtsNobody) {
  run([&](FakeAgent& agent) {
    agent.claim_process(0);
    culprit_slot& slot = agent.claim_slot(0, static_cast<uint32_t>(getpid()));
    agent.request(slot, CULPRIT_REQUEST_HELLO);
    uint64_t noise = 88172645463325252ull;
    for (int i = 0; i < 5000; i++) {
      culprit_record record;
      for (auto& word : reinterpret_cast<uint64_t(&)[4]>(record)) {
        noise ^= noise << 13, noise ^= noise >> 7, noise ^= noise << 17;
        word = noise;
      }
      record.kind =
          static_cast<uint8_t>(40 + noise % 200);  // no kind there is: forks of imagined processes would be noted
      agent.write(slot, record);
    }
    agent.write(slot, {CULPRIT_RECORD_CLOSE, 0, 3, 0, 0, -5, 0, 0});
    agent.open(slot, 7, 4000000);
    culprit_slot& lost = agent.claim_slot(5, 1);
    lost.process = 99999;
    slot.request_kind = 77;
    store_shared(slot.request_number, slot.reply_number + 5);
    agent.close(slot, 7);
    usleep(20000);
  });
  EXPECT_EQ(events_.lost(LossKind::block_damaged), 5001u);
  EXPECT_EQ(events_.handles.size(), 2u);
  EXPECT_EQ(events_.lost(LossKind::stack_missing), 2u);
}

}  // namespace
}  // namespace culprit
