// Culprit is killed, or the process ends: nobody is hurt.
#ifdef CULPRIT_PROGRAMS
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attached_programs.h"

namespace culprit {
namespace {

using ::testing::HasSubstr;

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

TEST(AgentAttachFaults, WhenCulpritIsKilledAtAnyMomentTheProcessGoesOnAndCanBeAttachedToAgain) {
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

TEST(AgentAttachFaults, WithoutItsCollectorTheAgentSleepsAndIsTakenOutByTheNextOne) {
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

TEST(AgentAttachFaults, ARecorderThatIsDroppedDetaches) {
  VictimProgram victim({victim_program(), "sleep"});
  ASSERT_EQ(victim.hear(), "ready");
  ProcessLook before = look_at(victim.pid());
  {
    AgentAtWork agent(victim.pid());
    ASSERT_NE(agent.recorder, nullptr) << agent.error.what;
  }
  EXPECT_EQ(look_at(victim.pid()), before);
}

TEST(AgentAttachFaults, AProcessThatEndsMeanwhileIsNoError) {
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

// Processes come and go while it is taken out of them: in each stage of their beginning and end.
TEST(AgentAttachFaults, AShellThatStartsProgramsAllTheTimeGetsTheRightAnswers) {
  constexpr const char* script =
      "n=0; echo ready\n"
      "while read -t 0.001 line; [ $? -gt 128 ]; do\n"
      "  answer=$(echo $n | tr 0-9 0-9); [ \"$answer\" = $n ] || { echo \"broken: $n is $answer\"; exit 1; }\n"
      "  n=$((n + 1))\n"
      "done; echo fine";
  VictimProgram victim({"/bin/bash", "-c", script});
  ASSERT_EQ(victim.hear(), "ready");
  for (int time = 0; time < 30 && victim.is_running(); time++) {
    AgentAtWork agent(victim.pid());
    ASSERT_NE(agent.recorder, nullptr) << agent.error.what;
    agent.until([&] { return agent.events.handles.size() > 200; });
    agent.recorder->finish();  // programs that were started meanwhile may keep the library
  }
  EXPECT_EQ(victim.end(), "fine");
}

}  // namespace
}  // namespace culprit
#endif
