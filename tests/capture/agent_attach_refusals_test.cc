// Where the agent is not put, and what is said then.
#ifdef CULPRIT_PROGRAMS
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attached_programs.h"
#include "base/syscall.h"

namespace culprit {
namespace {

using ::testing::HasSubstr;

TEST(AgentAttachRefusals, WithoutMemoryForItTheProcessIsLeftAsItWas) {
  VictimProgram victim({victim_program(), "sleep"});
  ASSERT_EQ(victim.hear(), "ready");
  ProcessLook before = look_at(victim.pid());
  rlimit limit{uint64_t{64} << 20, uint64_t{64} << 20};
  ASSERT_EQ(prlimit(static_cast<pid_t>(victim.pid()), RLIMIT_AS, &limit, nullptr), 0);
  AgentAtWork agent(victim.pid());
  EXPECT_EQ(agent.recorder, nullptr);
  EXPECT_THAT(agent.error.what, HasSubstr("memory"));
  EXPECT_EQ(look_at(victim.pid()), before);
}

TEST(AgentAttachRefusals, DoesNotWaitForeverForTheLoadersLock) {
  VictimProgram victim({victim_program(), "load", CULPRIT_PROGRAMS "/libslow_plugin.so"});
  ASSERT_EQ(victim.hear(), "ready");
  ProcessLook before = look_at(victim.pid());
  AgentAtWork agent(victim.pid());
  EXPECT_EQ(agent.recorder, nullptr);
  EXPECT_THAT(agent.error.what, HasSubstr("another thread of it is loading a library"));
  EXPECT_EQ(look_at(victim.pid()), before);
  victim.tell();
  EXPECT_EQ(victim.end(), "fine");
}

std::string refusal(uint32_t pid) {
  AgentAtWork agent(pid);
  EXPECT_EQ(agent.recorder, nullptr);
  EXPECT_TRUE(agent.events.processes.empty());
  return agent.error.what;
}

TEST(AgentAttachRefusals, RefusesWithASentenceWhatItCannotDoSafely) {
  VictimProgram confined({victim_program(), "seccomp"});
  ASSERT_EQ(confined.hear(), "ready");
  EXPECT_THAT(refusal(confined.pid()), HasSubstr("confined by seccomp"));

  VictimProgram still({CULPRIT_PROGRAMS "/static_program", "wait"});
  EXPECT_THAT(refusal(still.pid()), HasSubstr("a static program"));

  EXPECT_THAT(refusal(0x3ffffffe), HasSubstr("there is no process"));
  EXPECT_THAT(refusal(static_cast<uint32_t>(getpid())), HasSubstr("culprit itself"));
}

TEST(AgentAttachRefusals, RefusesAProcessThatSomebodyElseTraces) {
  VictimProgram victim({victim_program(), "sleep"});
  ASSERT_EQ(victim.hear(), "ready");
  ASSERT_EQ(ptrace(PTRACE_SEIZE, victim.pid(), nullptr, nullptr), 0);
  EXPECT_THAT(refusal(victim.pid()), HasSubstr("being traced already, by process " + std::to_string(getpid())));
}

TEST(AgentAttachRefusals, RefusesAProcessThatCulpritRecordsAlready) {
  VictimProgram victim({victim_program(), "sleep"});
  ASSERT_EQ(victim.hear(), "ready");
  int ready[2];
  ASSERT_EQ(pipe2(ready, O_CLOEXEC), 0);
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

TEST(AgentAttachRefusals, RefusesAZombie) {
  pid_t child = fork();
  if (child == 0) _exit(0);
  siginfo_t info{};
  waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
  EXPECT_THAT(refusal(static_cast<uint32_t>(child)), HasSubstr("zombie"));
  waitpid(child, nullptr, 0);
}

TEST(AgentAttachRefusals, RefusesAProcessThatHidesItsMemory) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to make a process of another user that hides";
  int ready[2];
  ASSERT_EQ(pipe2(ready, O_CLOEXEC), 0);
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

TEST(AgentAttachRefusals, RefusesAProcessOfAnotherPidNamespace) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to make a namespace";
  VictimProgram victim({"/usr/bin/unshare", "--pid", "--fork", "--kill-child", victim_program(), "sleep"});
  if (victim.hear() != "ready") GTEST_SKIP() << "no pid namespaces here";
  auto children =
      read_whole_file("/proc/" + std::to_string(victim.pid()) + "/task/" + std::to_string(victim.pid()) + "/children");
  EXPECT_THAT(refusal(static_cast<uint32_t>(std::stoul(children.value_or("0")))), HasSubstr("another number, 1"));
}

}  // namespace
}  // namespace culprit
#endif
