// The ptrace back end on real processes: complete, exact, and without a trace in the process.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/eventfd.h>
#include <sys/ptrace.h>

#include <map>
#include <set>
#include <thread>

#include "ptrace_recording.h"

namespace culprit {
namespace {

using ::testing::HasSubstr;

// What the events of a process, one after the other, leave open, beginning with its first snapshot.
std::set<int64_t> left_open(const CollectedEvents& events, ProcessId process) {
  std::set<int64_t> open;
  for (const HandleSnapshot& snapshot : events.snapshots) {
    if (snapshot.process != process || snapshot.reason != SnapshotReason::start) continue;
    for (const SnapshotEntry& entry : snapshot.entries) open.insert(entry.value);
  }
  std::vector<HandleEvent> ordered = events.handles;
  std::ranges::stable_sort(ordered, {}, &HandleEvent::time);
  for (const HandleEvent& event : ordered) {
    if (event.process != process) continue;
    if (event.action == HandleAction::close)
      open.erase(event.value);
    else if (event.action == HandleAction::close_range)
      open.erase(open.lower_bound(event.value), open.upper_bound(event.other));
    else
      open.insert(event.value);
  }
  return open;
}

std::set<int64_t> numbers_in(const HandleSnapshot& snapshot) {
  std::set<int64_t> numbers;
  for (const SnapshotEntry& entry : snapshot.entries) numbers.insert(entry.value);
  return numbers;
}

TEST(PtraceRecorder, TellsEveryOpenAndCloseWithItsStack) {
  Victim victim([] {
    for (int i = 0; i < 500; i++) close(open("/dev/null", O_RDONLY));
    return open("/etc/passwd", O_RDONLY);
  });
  PtraceRecording recording(victim.pid());
  ASSERT_TRUE(recording.recorder) << recording.error.what;
  victim.begin();
  int left = recording.until_done(victim);
  recording.recorder->finish();
  EXPECT_EQ(recording.count(HandleAction::open, "openat"), 501u);
  EXPECT_EQ(recording.count(HandleAction::close), 500u);
  const HandleEvent& last = recording.events.handles.back();
  EXPECT_EQ(last.value, left);
  EXPECT_EQ(recording.events.tables.text(last.name), "/etc/passwd");
  EXPECT_FALSE(recording.events.tables.stacks.truncated(last.stack));
  EXPECT_GT(recording.events.tables.stacks.frames(last.stack).size(), 5u);
  EXPECT_TRUE(recording.events.losses.empty());
}

TEST(PtraceRecorder, BeginsWithTheHandlesThatWereThere) {
  Victim victim([] { return 0; });
  PtraceRecording recording(victim.pid());
  ASSERT_TRUE(recording.recorder) << recording.error.what;
  recording.recorder->round();
  ASSERT_EQ(recording.events.processes.size(), 1u);
  const HandleSnapshot* start = recording.snapshot(SnapshotReason::start);
  ASSERT_NE(start, nullptr);
  EXPECT_TRUE(start->held);
  EXPECT_GE(start->entries.size(), 7u);
  EXPECT_EQ(recording.events.tables.process(start->process).pid, victim.pid());
  EXPECT_EQ(recording.events.tables.process(start->process).sight, Sight::ptrace);
}

TEST(PtraceRecorder, IsExactWithSixteenThreadsAtFullSpeed) {
  constexpr int threads = 16, rounds = 1000;
  Victim victim([] {
    std::vector<std::thread> workers;
    for (int i = 0; i < threads; i++) {
      workers.emplace_back([] {
        for (int round = 0; round < rounds; round++) close(round % 2 == 0 ? eventfd(0, 0) : dup(0));
        dup(0);
      });
    }
    for (std::thread& worker : workers) worker.join();
    return 0;
  });
  PtraceRecording recording(victim.pid());
  ASSERT_TRUE(recording.recorder) << recording.error.what;
  victim.begin();
  recording.until_done(victim);
  victim.end();
  recording.until_over();
  EXPECT_EQ(recording.count(HandleAction::open, "eventfd2"), size_t{threads} * rounds / 2);
  EXPECT_EQ(recording.count(HandleAction::duplicate), size_t{threads} * (rounds / 2 + 1));
  EXPECT_EQ(recording.count(HandleAction::close, "close"), size_t{threads} * rounds);
  const HandleSnapshot* exit = recording.snapshot(SnapshotReason::exit);
  ASSERT_NE(exit, nullptr);
  EXPECT_EQ(left_open(recording.events, exit->process), numbers_in(*exit));
  EXPECT_TRUE(recording.events.losses.empty());
}

TEST(PtraceRecorder, FollowsForksAndTellsWhoDidWhat) {
  Victim victim([] {
    for (auto make_child : {fork, vfork, fork, vfork, fork}) {
      if (pid_t child = make_child(); child != 0) {
        waitpid(child, nullptr, 0);
        continue;
      }
      eventfd(0, 0);
      _exit(3);
    }
    dup(0);
    return 0;
  });
  PtraceRecording recording(victim.pid());
  ASSERT_TRUE(recording.recorder) << recording.error.what;
  victim.begin();
  recording.until_done(victim);
  victim.end();
  recording.until_over();
  std::map<ProcessId, int> made;
  for (const HandleEvent& event : recording.events.handles)
    made[event.process] += recording.events.tables.text(event.call) == "eventfd2" ? 1 : 0;
  EXPECT_EQ(recording.events.changes(ProcessChange::forked), 5u);
  int exited_with_three = 0;
  for (const ProcessEvent& event : recording.events.processes) {
    exited_with_three += event.change == ProcessChange::exited && event.status == 3;
    if (event.change != ProcessChange::forked) continue;
    EXPECT_EQ(made[event.process], 1);
    EXPECT_NE(event.stack, StackId::none);
  }
  EXPECT_EQ(exited_with_three, 5);
}

TEST(PtraceRecorder, KnowsWhatAnExecClosed) {
  Victim victim([] {
    dup(0);
    fcntl(0, F_DUPFD_CLOEXEC, 0);
    execl("/bin/sh", "sh", "-c", "exec 9</dev/null; exit 4", nullptr);
    return 1;
  });
  PtraceRecording recording(victim.pid());
  ASSERT_TRUE(recording.recorder) << recording.error.what;
  victim.begin();
  recording.until_over();
  EXPECT_EQ(recording.events.changes(ProcessChange::executed), 1u);
  const HandleSnapshot* after = recording.snapshot(SnapshotReason::exec);
  ASSERT_NE(after, nullptr);
  EXPECT_TRUE(after->held);
  EXPECT_EQ(recording.snapshot(SnapshotReason::start)->entries.size() + 1, after->entries.size());
  EXPECT_EQ(recording.events.tables.process(after->process).name.substr(0, 2), "da");  // dash
  EXPECT_TRUE(numbers_in(*recording.snapshot(SnapshotReason::exit)).contains(9));
}

TEST(PtraceRecorder, FollowsAnExecByAThreadThatIsNotTheFirst) {
  Victim victim([] {
    std::vector<std::thread> others;
    for (int i = 0; i < 4; i++) others.emplace_back([] { pause(); });
    std::thread([] {
      dup(0);
      execl("/bin/sh", "sh", "-c", "exec 9</dev/null; exit 4", nullptr);
    }).join();
    return 1;
  });
  PtraceRecording recording(victim.pid());
  ASSERT_TRUE(recording.recorder) << recording.error.what;
  victim.begin();
  recording.until_over();
  EXPECT_EQ(recording.events.changes(ProcessChange::executed), 1u);
  ASSERT_NE(recording.snapshot(SnapshotReason::exit), nullptr);
  EXPECT_TRUE(numbers_in(*recording.snapshot(SnapshotReason::exit)).contains(9));
  EXPECT_EQ(recording.events.processes.back().status, 4);
}

TEST(PtraceRecorder, SurvivesProcessesThatVanishAtAnyMoment) {
  Victim victim([] {
    for (int i = 0; i < 300; i++) {
      pid_t child = fork();
      if (child == 0) {
        std::thread([] {
          for (;;) close(dup(0));
        }).detach();
        for (;;) close(open("/dev/null", O_RDONLY));
      }
      usleep(static_cast<useconds_t>(i * 7 % 1500));
      kill(child, SIGKILL);
      waitpid(child, nullptr, 0);
    }
    return 0;
  });
  PtraceRecording recording(victim.pid());
  ASSERT_TRUE(recording.recorder) << recording.error.what;
  victim.begin();
  EXPECT_EQ(recording.until_done(victim), 0);
  victim.end();
  recording.until_over();
  EXPECT_EQ(recording.events.changes(ProcessChange::forked), 300u);
  EXPECT_EQ(recording.events.changes(ProcessChange::killed), 300u);
}

TEST(PtraceRecorder, SaysWhoTracesTheProcessAlready) {
  Victim victim([] { return 0; });
  ASSERT_EQ(ptrace(PTRACE_SEIZE, victim.pid(), nullptr, nullptr), 0);
  PtraceRecording recording(victim.pid());
  ASSERT_FALSE(recording.recorder);
  EXPECT_EQ(recording.error.kind, ErrorKind::no_access);
  EXPECT_THAT(recording.error.what, HasSubstr("capture_tests"));
  EXPECT_THAT(recording.error.what, HasSubstr(std::to_string(getpid())));
  EXPECT_TRUE(recording.events.processes.empty());
}

}  // namespace
}  // namespace culprit
