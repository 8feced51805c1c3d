// `culprit heap` on processes that are in trouble, or vanish, while it looks at them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "support/run_culprit.h"

namespace culprit::test {
namespace {

using ::testing::HasSubstr;

Ran heap(pid_t pid, const Words& options) {
  Words words{culprit_path(), "heap", std::to_string(pid)};
  words.insert(words.end(), options.begin(), options.end());
  return run(words);
}

Json heap_json(pid_t pid, Words options = {}) {
  options.push_back("--json");
  Ran ran = heap(pid, options);
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  return Json::parse(ran.out, nullptr, false);
}

void expect_all_under_change(const Json& answer) {
  for (const Json& damage : answer["damage"]) EXPECT_TRUE(damage["under_change"].get<bool>()) << damage.dump(1);
}

size_t busy_arenas(const Json& answer) {
  return static_cast<size_t>(
      std::ranges::count_if(answer["arenas"], [](const Json& arena) { return arena["busy"].get<bool>(); }));
}

// heap_faults in the middle of malloc.
struct InMalloc {
  explicit InMalloc(const char* mode) : running({program("heap_faults"), mode, folder / "made"}) {}
  // False: the kernel cannot hold a system call.
  bool is_there() {
    if (!wait_for_file(folder / "made")) return false;
    std::ifstream said(folder / "made");
    std::string key;
    said >> key >> child;
    return true;
  }
  ~InMalloc() {
    if (child > 1) ::kill(child, SIGKILL);
  }

  TemporaryFolder folder;
  Running running;
  pid_t child = 0;
};

TEST(HeapInTheMiddleOfMalloc, IsPartialAndTheProgramGoesOn) {
  InMalloc held("held");
  ASSERT_TRUE(held.is_there());
  for (const Words& asked : {Words{}, Words{"--by", "size"}, Words{"--unreachable"}}) {
    const Json answer = heap_json(held.running.pid(), asked);
    EXPECT_EQ(busy_arenas(answer), 1u);
    EXPECT_FALSE(answer["exact"].get<bool>());
    EXPECT_GE(loss(answer, "heap_changed"), 1u);
    expect_all_under_change(answer);
  }
  EXPECT_THAT(heap(held.running.pid(), {}).out, HasSubstr("under change"));
  ::kill(held.running.pid(), SIGUSR1);
  EXPECT_EQ(held.running.wait().ending(), "exit 5");
}

TEST(HeapOfAForkedChild, IsReadAlthoughNobodyIsLeftWhoHoldsItsLock) {
  InMalloc forked("forked");
  ASSERT_TRUE(forked.is_there());
  ASSERT_GT(forked.child, 1);
  for (const Words& asked : {Words{}, Words{"--unreachable"}}) {
    const Json answer = heap_json(forked.child, asked);
    EXPECT_EQ(busy_arenas(answer), 1u);
    EXPECT_FALSE(answer["exact"].get<bool>());
    expect_all_under_change(answer);
  }
  EXPECT_EQ(::kill(forked.child, 0), 0);
  ::kill(forked.running.pid(), SIGUSR1);
  EXPECT_EQ(forked.running.wait().ending(), "exit 5");
}

// Some instructions further, and then left there, stopped.
void step(pid_t pid, int instructions) {
  int status = 0;
  ASSERT_EQ(::ptrace(PTRACE_ATTACH, pid, nullptr, nullptr), 0) << strerror(errno);
  ASSERT_EQ(::waitpid(pid, &status, __WALL), pid);
  for (int i = 0; i < instructions && WIFSTOPPED(status); ++i) {
    ASSERT_EQ(::ptrace(PTRACE_SINGLESTEP, pid, nullptr, nullptr), 0) << strerror(errno);
    ASSERT_EQ(::waitpid(pid, &status, __WALL), pid);
  }
  ASSERT_TRUE(WIFSTOPPED(status));
  ASSERT_EQ(::ptrace(PTRACE_DETACH, pid, nullptr, SIGSTOP), 0) << strerror(errno);
}

TEST(HeapStoppedAtAnInstruction, IsNeverCalledDamaged) {
  TemporaryFolder folder;
  Running steps({program("heap_faults"), "steps", folder / "made"});
  ASSERT_TRUE(wait_for_file(folder / "made"));
  for (int i = 0; i < 40; ++i) {
    ASSERT_NO_FATAL_FAILURE(step(steps.pid(), 37 + i));
    expect_all_under_change(heap_json(steps.pid()));
  }
}

// Until somebody stands over it; false: it was too quick, or has failed.
bool wait_until_traced(pid_t pid, const Running& by) {
  for (;;) {
    if (contents("/proc/" + std::to_string(pid) + "/status").find("TracerPid:\t0") == std::string::npos) return true;
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(by.pid()), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0)
      return false;
  }
}

TEST(HeapOfAProcess, ThatIsKilledMeanwhileIsAnsweredOrSaidToBeGone) {
  for (const Words& asked : {Words{}, Words{"--unreachable"}, Words{"--list"}}) {
    TemporaryFolder folder;
    Running victim({program("heap_victim"), "several-pieces", folder / "said"});
    ASSERT_TRUE(wait_for_file(folder / "said"));
    Words words{culprit_path(), "heap", std::to_string(victim.pid())};
    words.insert(words.end(), asked.begin(), asked.end());
    Running culprit(words);
    wait_until_traced(victim.pid(), culprit);
    ::kill(victim.pid(), SIGKILL);
    const Ran ran = culprit.wait();
    EXPECT_THAT(ran.ending(), ::testing::AnyOf("exit 0", "exit 2"));
    EXPECT_LE(std::ranges::count(ran.err, '\n'), 1) << ran.err;
    EXPECT_EQ(victim.wait().ending(), "signal 9");
  }
}

TEST(HeapOfAProcess, ThatHasEndedAndIsNotWaitedForIsRefused) {
  Running victim({"/bin/true"});
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(victim.pid()), &info, WEXITED | WNOWAIT), 0);
  for (const Words& asked : {Words{}, Words{"--unreachable"}}) {
    const Ran ran = heap(victim.pid(), asked);
    EXPECT_EQ(ran.ending(), "exit 2") << ran.out;
    EXPECT_EQ(std::ranges::count(ran.err, '\n'), 1) << ran.err;
  }
}

}  // namespace
}  // namespace culprit::test
