// The agent in processes that run already: in, out, and nothing left; whatever happens to culprit.
#ifdef CULPRIT_PROGRAMS
#include "capture/agent_attach.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>

#include "attached_programs.h"
#include "base/syscall.h"

namespace culprit {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

// Attaches, does `work` with the recorder, and detaches.
template <typename Work>
void attached_to(uint32_t pid, Work work) {
  AgentAtWork agent(pid);
  ASSERT_NE(agent.recorder, nullptr) << agent.error.what;
  work(agent);
  agent.recorder->finish();
  EXPECT_EQ(agent.recorder->status().left_behind, "");
}
void attach_and_detach(uint32_t pid) {
  attached_to(pid, [](AgentAtWork&) {});
}

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

// What culprit does, in a process that can be killed.
pid_t start_culprit(uint32_t pid) {
  pid_t culprit = fork();
  if (culprit != 0) return culprit;
  for (;;) {
    AgentAtWork agent(pid);
    if (agent.recorder == nullptr) _exit(0);
    for (int round = 0; round < 5; round++) agent.recorder->round();
    agent.recorder->finish();
  }
}

TEST(AgentAttach, WhenCulpritIsKilledAtAnyMomentTheProcessGoesOnAndCanBeAttachedToAgain) {
  VictimProgram victim({victim_program(), "work", "2"});
  ASSERT_EQ(victim.hear(), "ready");
  for (int time = 0; time < 60; time++) {
    pid_t culprit = start_culprit(victim.pid());
    usleep(static_cast<useconds_t>(time * 2'300 % 120'000));
    kill(culprit, SIGKILL);
    waitpid(culprit, nullptr, 0);
    ASSERT_TRUE(victim.is_running()) << "after " << time;
  }
  attached_to(victim.pid(),
              [&](AgentAtWork& agent) { agent.until([&] { return agent.events.handles.size() > 1000; }); });
  ProcessLook after = look_at(victim.pid());
  EXPECT_TRUE(after.is_code_as_in_file);
  EXPECT_THAT(after.maps, ::testing::Not(HasSubstr("culprit")));
  EXPECT_EQ(victim.end(), "fine");
}

TEST(AgentAttach, WithoutItsCollectorTheAgentSleepsAndIsTakenOutByTheNextOne) {
  VictimProgram victim({victim_program(), "open", "50000", "0"});
  ASSERT_EQ(victim.hear(), "ready");
  ProcessLook before = look_at(victim.pid());
  pid_t culprit = fork();
  if (culprit == 0) {
    AgentAtWork agent(victim.pid());
    _exit(agent.recorder == nullptr ? 1 : 0);  // without a word
  }
  int status = 0;
  waitpid(culprit, &status, 0);
  ASSERT_EQ(status, 0);
  EXPECT_FALSE(look_at(victim.pid()).is_code_as_in_file);
  victim.tell();  // more than a ring holds
  EXPECT_EQ(victim.hear(), "done");
  attach_and_detach(victim.pid());
  ProcessLook after = look_at(victim.pid());
  EXPECT_EQ(after.maps, before.maps);
  EXPECT_TRUE(after.is_code_as_in_file);
  EXPECT_EQ(victim.end(), "fine");
}

TEST(AgentAttach, ARecorderThatIsDroppedDetaches) {
  VictimProgram victim({victim_program(), "sleep"});
  ASSERT_EQ(victim.hear(), "ready");
  ProcessLook before = look_at(victim.pid());
  {
    AgentAtWork agent(victim.pid());
    ASSERT_NE(agent.recorder, nullptr) << agent.error.what;
  }
  EXPECT_EQ(look_at(victim.pid()), before);
}

TEST(AgentAttach, AProcessThatEndsMeanwhileIsNoError) {
  for (int time = 0; time < 25; time++) {
    VictimProgram victim({victim_program(), "open", "1", "1"});
    ASSERT_EQ(victim.hear(), "ready");
    pid_t killer = fork();
    if (killer == 0) {
      usleep(static_cast<useconds_t>(time) * 4'000);
      kill(static_cast<pid_t>(victim.pid()), SIGKILL);
      _exit(0);
    }
    AgentAtWork agent(victim.pid());
    if (agent.recorder != nullptr) {
      agent.until([] { return false; });
      EXPECT_FALSE(agent.recorder->has_targets());
      agent.recorder->finish();
    } else {
      EXPECT_EQ(agent.error.kind, ErrorKind::gone) << agent.error.what;
    }
    waitpid(killer, nullptr, 0);
  }
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

// --- refusals ---

std::string refusal(uint32_t pid) {
  AgentAtWork agent(pid);
  EXPECT_EQ(agent.recorder, nullptr);
  EXPECT_TRUE(agent.events.processes.empty());
  return agent.error.what;
}

TEST(AgentAttach, RefusesWithASentenceWhatItCannotDoSafely) {
  VictimProgram confined({victim_program(), "seccomp"});
  ASSERT_EQ(confined.hear(), "ready");
  EXPECT_THAT(refusal(confined.pid()), HasSubstr("confined by seccomp"));

  VictimProgram still({CULPRIT_PROGRAMS "/static_program", "wait"});
  EXPECT_THAT(refusal(still.pid()), HasSubstr("a static program"));

  EXPECT_THAT(refusal(0x3ffffffe), HasSubstr("there is no process"));
  EXPECT_THAT(refusal(static_cast<uint32_t>(getpid())), HasSubstr("culprit itself"));
}

TEST(AgentAttach, RefusesAProcessThatSomebodyElseTraces) {
  VictimProgram victim({victim_program(), "sleep"});
  ASSERT_EQ(victim.hear(), "ready");
  ASSERT_EQ(ptrace(PTRACE_SEIZE, victim.pid(), nullptr, nullptr), 0);
  EXPECT_THAT(refusal(victim.pid()), HasSubstr("being traced already, by process " + std::to_string(getpid())));
}

TEST(AgentAttach, RefusesAProcessThatCulpritRecordsAlready) {
  VictimProgram victim({victim_program(), "sleep"});
  ASSERT_EQ(victim.hear(), "ready");
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  pid_t other = fork();
  if (other == 0) {
    AgentAtWork agent(victim.pid());
    if (write(ready[1], "x", 1) != 1) _exit(1);
    agent.until([] { return false; });
    _exit(0);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  EXPECT_THAT(refusal(victim.pid()), HasSubstr("recorded already, by culprit (process " + std::to_string(other) + ")"));
  kill(other, SIGKILL);
  waitpid(other, nullptr, 0);
  attach_and_detach(victim.pid());
}

TEST(AgentAttach, RefusesAZombie) {
  pid_t child = fork();
  if (child == 0) _exit(0);
  siginfo_t info{};
  waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
  EXPECT_THAT(refusal(static_cast<uint32_t>(child)), HasSubstr("zombie"));
  waitpid(child, nullptr, 0);
}

TEST(AgentAttach, RefusesAProcessThatHidesItsMemory) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to make a process of another user that hides";
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  pid_t child = fork();
  if (child == 0) {
    constexpr uid_t nobody = 65534;
    if (setuid(nobody) != 0 || write(ready[1], "x", 1) != 1) _exit(1);
    for (;;) pause();
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  EXPECT_THAT(refusal(static_cast<uint32_t>(child)), HasSubstr("PR_SET_DUMPABLE 0"));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace culprit
#endif
