// Recording by the kernel: real processes, against what they really did.
#include "capture/bpf_recorder.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "capture/ladder.h"
#include "collected_events.h"

namespace culprit {
namespace {

// Without root, or with a kernel that refuses BPF, there is nothing to test.
class BpfRecorder : public ::testing::Test {
 protected:
  void SetUp() override {
    WatchRequest nothing;
    nothing.children = true;
    auto recorder = start_bpf_recorder(nothing, events_.tables, events_);
    if (!recorder) GTEST_SKIP() << "bpf does not work here: " << recorder.error().what;
  }

  std::unique_ptr<LiveRecorder> start(const WatchRequest& request) {
    auto recorder = start_bpf_recorder(request, events_.tables, events_);
    EXPECT_TRUE(recorder) << recorder.error().what;
    return recorder ? std::move(*recorder) : nullptr;
  }

  CollectedEvents events_;
};

void open_and_close(int times) {
  for (int i = 0; i < times; i++) close(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

pid_t child(const std::function<void()>& work) {
  pid_t pid = fork();
  if (pid == 0) {
    work();
    _exit(0);
  }
  return pid;
}

void reap(const std::vector<pid_t>& pids) {
  for (pid_t pid : pids) waitpid(pid, nullptr, 0);
}

TEST_F(BpfRecorder, CountsEachEventThatItsRingCouldNotHold) {
  WatchRequest request;
  request.children = true;
  request.buffer_bytes = 64 << 10;
  auto recorder = start(request);
  ASSERT_TRUE(recorder);
  constexpr int processes = 4, times = 20'000;
  std::vector<pid_t> pids;
  for (int i = 0; i < processes; i++) pids.push_back(child([] { open_and_close(times); }));
  // Nobody takes events for a while: most are lost, and some are not.
  usleep(50'000);
  for (int i = 0; i < 10; i++) recorder->round(), usleep(1'000);
  reap(pids);
  while (recorder->round()) {
  }
  recorder->finish();
  uint64_t lost = 0;
  for (const Loss& loss : events_.losses)
    lost += loss.kind == LossKind::ring_full && loss.detail.empty() ? loss.count : 0;
  EXPECT_GT(lost, 0u);
  EXPECT_EQ(events_.handles.size() + lost, 2u * processes * times);
}

TEST_F(BpfRecorder, SeesTheEndsOfProcessesThatNobodyElseSees) {
  WatchRequest request;
  request.children = true;
  auto recorder = start(request);
  ASSERT_TRUE(recorder);
  std::vector<pid_t> pids;
  for (int i = 0; i < 20; i++) pids.push_back(child([] { open_and_close(1); }));
  pids.push_back(child([] { raise(SIGKILL); }));
  reap(pids);
  while (recorder->round()) {
  }
  recorder->finish();
  EXPECT_EQ(events_.changes(ProcessChange::exited), 20u);
  EXPECT_EQ(events_.changes(ProcessChange::killed), 1u);
  EXPECT_EQ(events_.handles.size(), 40u);
  EXPECT_EQ(recorder->status().processes, 0u);
}

TEST_F(BpfRecorder, RecordsProgramsByNameAlsoThoseThatStartLater) {
  WatchRequest request;
  request.names = {"head"};
  auto recorder = start(request);
  ASSERT_TRUE(recorder);
  reap({child([] { execl("/usr/bin/head", "head", "-c", "1", "/etc/passwd", nullptr); }),
        child([] { execl("/usr/bin/tail", "tail", "-c", "1", "/etc/passwd", nullptr); })});
  while (recorder->round()) {
  }
  recorder->finish();
  std::set<std::string> names;
  for (const ProcessEvent& event : events_.processes) names.insert(events_.tables.process(event.process).name);
  EXPECT_EQ(names, (std::set<std::string>{"head"}));
}

TEST_F(BpfRecorder, RecordsTheWholeMachineButNotItself) {
  WatchRequest request;
  request.all = true;
  auto recorder = start(request);
  ASSERT_TRUE(recorder);
  pid_t busy = child([] { open_and_close(100); });
  reap({busy});
  open_and_close(100);
  while (recorder->round()) {
  }
  recorder->finish();
  std::set<uint32_t> pids;
  for (const HandleEvent& event : events_.handles) pids.insert(events_.tables.process(event.process).pid);
  EXPECT_TRUE(pids.contains(static_cast<uint32_t>(busy)));
  EXPECT_FALSE(pids.contains(static_cast<uint32_t>(getpid())));
}

TEST_F(BpfRecorder, RefusesACgroupThatIsNone) {
  WatchRequest request;
  request.cgroups = {"/sys/fs/cgroup/no-such-group"};
  auto recorder = start_bpf_recorder(request, events_.tables, events_);
  ASSERT_FALSE(recorder);
  EXPECT_EQ(recorder.error().kind, ErrorKind::not_found);
}

TEST_F(BpfRecorder, IsTheLaddersFirstChoiceForOneProcess) {
  pid_t victim = child([] { pause(); });
  WatchRequest request;
  request.pids = {static_cast<uint32_t>(victim)};
  auto recording = start_live_recorder(request, Via::best, {}, events_.tables, events_);
  ASSERT_TRUE(recording) << recording.error().what;
  EXPECT_EQ(recording->recorder->name(), "bpf");
  EXPECT_TRUE(recording->refused.empty());
  recording->recorder->finish();
  kill(victim, SIGKILL);
  reap({victim});
}

}  // namespace
}  // namespace culprit
