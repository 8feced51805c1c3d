// The agent in processes that run already: in, out, and nothing left; whatever happens to culprit.
#ifdef CULPRIT_PROGRAMS
#include "capture/agent_attach.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>

#include "attached_programs.h"
#include "base/syscall.h"
#include "target/ptrace_threads.h"

namespace culprit {
namespace {

using ::testing::HasSubstr;

TEST(AgentAttach, LeavesASleepingProcessByteForByteAsItWas) {
  VictimProgram victim({victim_program(), "sleep"});
  ASSERT_EQ(victim.hear(), "ready");
  ProcessLook before = look_at(victim.pid());
  ASSERT_TRUE(before.is_code_as_in_file);
  attached_to(victim.pid(), [&](AgentAtWork&) {
    ProcessLook meanwhile = look_at(victim.pid());
    EXPECT_FALSE(meanwhile.is_code_as_in_file);
    EXPECT_THAT(meanwhile.maps, HasSubstr("libculprit_agent.so"));
    EXPECT_EQ(meanwhile.handles, before.handles);
  });
  EXPECT_EQ(look_at(victim.pid()), before);
}

TEST(AgentAttach, StopsTwoHundredThreadsForAMomentAndLeavesThemAsTheyWere) {
  VictimProgram victim({victim_program(), "threads", "200"});
  ASSERT_EQ(victim.hear(), "ready");
  ProcessLook before = look_at(victim.pid());
  EXPECT_EQ(before.threads, 201u);
  AgentAtWork agent(victim.pid());
  ASSERT_NE(agent.recorder, nullptr) << agent.error.what;
  EXPECT_GT(agent.recorder->status().longest_stop, 0);
  agent.recorder->finish();
  EXPECT_EQ(look_at(victim.pid()), before);
  EXPECT_EQ(victim.end(), "fine");
}

TEST(AgentAttach, TwoHundredTimesToAProgramThatAllocatesAndOpensAllTheTime) {
  VictimProgram victim({victim_program(), "work", "3"});
  ASSERT_EQ(victim.hear(), "ready");
  for (int time = 0; time < 200; time++) {
    attached_to(victim.pid(),
                [&](AgentAtWork& agent) { agent.until([&] { return agent.events.handles.size() > 100; }); });
    ASSERT_TRUE(victim.is_running()) << "after " << time;
  }
  EXPECT_TRUE(look_at(victim.pid()).is_code_as_in_file);
  EXPECT_EQ(victim.end(), "fine");
}

TEST(AgentAttach, SystemCallsThatWaitGoOnAsIfNothingHadBeen) {
  VictimProgram victim({victim_program(), "waits"});
  ASSERT_EQ(victim.hear(), "ready");
  for (int time = 0; time < 3; time++) attach_and_detach(victim.pid());
  EXPECT_EQ(victim.end(), "fine");

  VictimProgram other({victim_program(), "waits"});
  ASSERT_EQ(other.hear(), "ready");
  attached_to(other.pid(), [&](AgentAtWork& agent) {
    other.tell();
    agent.until_heard(other);
  });
  EXPECT_EQ(other.end(), "fine");
}

struct CountedStack {
  uint64_t opened = 0, closed = 0;
};

TEST(AgentAttach, EveryHandleMadeAfterwardsIsSeenWithItsStack) {
  constexpr uint64_t handles = 500, leaked = 20;
  VictimProgram victim({victim_program(), "open", std::to_string(handles), std::to_string(leaked)});
  ASSERT_EQ(victim.hear(), "ready");
  AgentAtWork agent(victim.pid());
  ASSERT_NE(agent.recorder, nullptr) << agent.error.what;
  victim.tell();
  agent.until_heard(victim);
  agent.recorder->finish();

  std::map<std::vector<std::string>, CountedStack> stacks;
  for (const HandleEvent& event : agent.events.handles) {
    auto frames = agent.stack(event.stack);
    ASSERT_GE(frames.size(), 5u);
    EXPECT_FALSE(agent.events.tables.stacks.truncated(event.stack));
    EXPECT_THAT(frames.back(), HasSubstr("attach_victim+"));  // _start
    CountedStack& counted = stacks[frames];
    ++(event.action == HandleAction::close ? counted.closed : counted.opened);
  }
  std::vector<uint64_t> opened;
  for (const auto& [frames, counted] : stacks)
    if (counted.opened > 0) opened.push_back(counted.opened);
  EXPECT_THAT(opened, ::testing::UnorderedElementsAre(leaked, handles - leaked));
  EXPECT_EQ(agent.events.handles.size(), handles + handles - leaked);
  ASSERT_FALSE(agent.events.snapshots.empty());
  EXPECT_EQ(agent.events.snapshots.front().reason, SnapshotReason::start);
  EXPECT_GE(agent.events.snapshots.front().entries.size(), 3u);
  agent.recorder->hand_on_losses();
  EXPECT_TRUE(agent.events.losses.empty()) << agent.events.losses.front().detail;
}

TEST(AgentAttach, AConnectionWaitedForSinceBeforeIsSeenWithItsStack) {
  VictimProgram victim({victim_program(), "accept"});
  ASSERT_EQ(victim.hear(), "ready");
  usleep(20'000);  // until it waits; if it does not yet, it is seen all the more
  attached_to(victim.pid(), [&](AgentAtWork& agent) {
    victim.tell();
    agent.until_heard(victim);
    agent.recorder->round();
    auto is_accept = [&](const HandleEvent& event) { return agent.events.tables.text(event.call) == "accept"; };
    auto accepted = std::ranges::find_if(agent.events.handles, is_accept);
    ASSERT_NE(accepted, agent.events.handles.end());
    EXPECT_GE(agent.stack(accepted->stack).size(), 3u);
  });
  EXPECT_TRUE(look_at(victim.pid()).is_code_as_in_file);  // though a thread waits in a stub's system call again
  EXPECT_EQ(victim.end(), "fine");
}

TEST(AgentAttach, ProcessesStartedAfterwardsAreFollowedAndLetGoToo) {
  VictimProgram victim({victim_program(), "fork"});
  ASSERT_EQ(victim.hear(), "ready");
  AgentAtWork agent(victim.pid());
  ASSERT_NE(agent.recorder, nullptr) << agent.error.what;
  victim.tell();
  agent.until_heard(victim);
  ASSERT_EQ(victim.hear(), "child");
  agent.until([&] { return agent.recorder->status().processes == 2; });
  auto children =
      read_whole_file("/proc/" + std::to_string(victim.pid()) + "/task/" + std::to_string(victim.pid()) + "/children");
  auto child = static_cast<uint32_t>(std::stoul(children.value_or("0")));
  EXPECT_FALSE(look_at(child).is_code_as_in_file);
  agent.recorder->finish();
  EXPECT_EQ(agent.recorder->status().left_behind, "");
  EXPECT_TRUE(look_at(child).is_code_as_in_file);
  EXPECT_THAT(look_at(child).maps, ::testing::Not(HasSubstr("culprit")));
  EXPECT_EQ(agent.events.changes(ProcessChange::forked), 1u);
  std::string said;
  victim.tell();
  for (std::string line = victim.hear(); line != "fine" && !line.empty(); line = victim.hear()) said += line + "\n";
  EXPECT_THAT(said, ::testing::Not(HasSubstr("CULPRIT")));
  EXPECT_EQ(victim.end(), "");
}

TEST(AgentAttach, AProgramExecutedAfterwardsIsFollowedAndSeesNothingOfIt) {
  VictimProgram victim({victim_program(), "fork"});
  ASSERT_EQ(victim.hear(), "ready");
  AgentAtWork agent(victim.pid());
  ASSERT_NE(agent.recorder, nullptr) << agent.error.what;
  victim.tell();
  agent.until_heard(victim);
  ASSERT_EQ(victim.hear(), "child");
  victim.tell();
  std::string said;
  bool is_over = false;
  agent.until([&] {
    while (!is_over && victim.has_said_something()) {
      std::string line = victim.hear();
      is_over = line == "fine" || line.empty();
      said += line + "\n";
    }
    return is_over;
  });
  agent.recorder->finish();
  EXPECT_THAT(said, HasSubstr("PATH="));
  EXPECT_THAT(said, ::testing::Not(HasSubstr("CULPRIT")));
  EXPECT_THAT(said, ::testing::Not(HasSubstr("LD_PRELOAD")));
  EXPECT_EQ(agent.events.changes(ProcessChange::executed), 1u);
}

TEST(AgentAttach, AThreadInASignalHandlerThatInterruptedAStubIsTakenOutOfIt) {
  VictimProgram victim({victim_program(), "handler"});
  ASSERT_EQ(victim.hear(), "ready");
  AgentAtWork agent(victim.pid());
  ASSERT_NE(agent.recorder, nullptr) << agent.error.what;
  victim.tell();
  agent.until_heard(victim);
  EXPECT_EQ(victim.hear(), "handling");
  agent.recorder->finish();
  EXPECT_EQ(agent.recorder->status().left_behind, "");
  EXPECT_THAT(look_at(victim.pid()).maps, ::testing::Not(HasSubstr("culprit")));
  victim.tell();
  EXPECT_EQ(victim.end(), "fine");
}

TEST(AgentAttach, WaitsForAVforkChildThatRunsOnTheSameMemory) {
  VictimProgram victim({victim_program(), "vfork"});
  ASSERT_EQ(victim.hear(), "ready");
  pid_t helper = fork();
  if (helper == 0) {
    usleep(300'000);
    victim.tell();
    _exit(0);
  }
  AgentAtWork agent(victim.pid());
  waitpid(helper, nullptr, 0);
  if (agent.recorder != nullptr)
    agent.recorder->finish();
  else
    EXPECT_THAT(agent.error.what, HasSubstr("memory"));
  EXPECT_EQ(victim.end(), "fine");
}

TEST(AgentAttach, AStoppedProcessStaysStopped) {
  VictimProgram victim({victim_program(), "threads", "3"});
  ASSERT_EQ(victim.hear(), "ready");
  kill(static_cast<pid_t>(victim.pid()), SIGSTOP);
  siginfo_t info{};
  waitid(P_PID, victim.pid(), &info, WSTOPPED | WNOWAIT);
  ProcessLook before = look_at(victim.pid());
  attach_and_detach(victim.pid());
  EXPECT_EQ(look_at(victim.pid()), before);
  // Whoever is let go has to get a processor once, before it stops again.
  for (uint32_t tid : threads_of(victim.pid())) {
    EXPECT_TRUE(comes_true([&] { return thread_state_letter(victim.pid(), tid) == 'T'; })) << "thread " << tid;
  }
  kill(static_cast<pid_t>(victim.pid()), SIGCONT);
  EXPECT_EQ(victim.end(), "fine");
}

TEST(AgentAttach, SignalsThatComeMeanwhileAreNotLost) {
  VictimProgram victim({victim_program(), "signals"});
  ASSERT_EQ(victim.hear(), "ready");
  pid_t sender = fork();
  if (sender == 0) {
    for (int i = 0; i < 2000; i++) {
      sigval value{};
      while (sigqueue(static_cast<pid_t>(victim.pid()), SIGRTMIN, value) != 0) usleep(1000);
      usleep(100);
    }
    _exit(0);
  }
  int status = 0, times = 0;
  for (; waitpid(sender, &status, WNOHANG) == 0; times++) attach_and_detach(victim.pid());
  EXPECT_GT(times, 0);
  EXPECT_EQ(status, 0);
  victim.tell();
  EXPECT_EQ(victim.hear(), "2000");
  EXPECT_EQ(victim.end(), "fine");
}

}  // namespace
}  // namespace culprit
#endif
