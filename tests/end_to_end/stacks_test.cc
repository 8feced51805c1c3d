// `culprit stacks` on live processes, its stacks against the debugger's.
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <sstream>
#include <vector>

#include "support/run_culprit.h"

namespace culprit::test {
namespace {

using ::testing::HasSubstr;
using Addresses = std::vector<uint64_t>;
using Stacks = std::map<uint32_t, Addresses>;

Json stacks_of(pid_t pid, Words options = {}) {
  Words command = {culprit_path(), "stacks", std::to_string(pid), "--json"};
  command.insert(command.end(), options.begin(), options.end());
  Ran ran = run(command);
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  return Json::parse(ran.out, nullptr, false);
}

// Of frames that really are on the stack.
Stacks addresses_in(const Json& report) {
  Stacks stacks;
  for (const Json& group : report.at("groups")) {
    Addresses addresses;
    for (const Json& frame : group.at("stack"))
      if (!frame.at("inlined").get<bool>()) addresses.push_back(frame.at("address"));
    for (const Json& tid : group.at("threads")) stacks[tid] = addresses;
  }
  return stacks;
}

// "thread 17 7f0012 7f0034 …"
Stacks stacks_of_gdb(pid_t pid) {
  Ran gdb = run({tool("gdb"), "-nx", "-batch", "-p", std::to_string(pid), "-x", CULPRIT_GDB_CORE_SCRIPT});
  Stacks stacks;
  std::istringstream lines(gdb.out);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word;
    uint32_t tid = 0;
    if (!(words >> word >> tid) || word != "thread") continue;
    while (words >> word) stacks[tid].push_back(std::stoull(word, nullptr, 16));
  }
  EXPECT_FALSE(stacks.empty()) << gdb.out << gdb.err;
  return stacks;
}

const Json& thread_named(const Json& report, std::string_view name) {
  static const Json none = {{"wait", "no such thread"}, {"tid", 0}, {"stopped_for", -1}};
  for (const Json& thread : report.at("threads"))
    if (thread.at("name") == name) return thread;
  return none;
}

// All of its threads stand: one in pause(), the others (of one case) wait for that one's end.
bool all_stand(pid_t pid) {
  bool is_there = false;
  for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    std::string call = contents(task.path().string() + "/syscall");
    if (!call.starts_with("34 ") && !call.starts_with("202 ")) return false;
    is_there = is_there || call.starts_with("34 ");
  }
  return is_there;
}

class LiveStacks : public ::testing::TestWithParam<const char*> {};

TEST_P(LiveStacks, AreThoseOfTheDebuggerFrameByFrame) {
  if (tool("gdb").empty()) GTEST_SKIP() << "gdb is not installed";
  Running victim({program("hard_stacks")}, {.environment = {std::string("CULPRIT_STAND_AT=") + GetParam()}});
  while (!all_stand(victim.pid())) ::usleep(1000);
  Json report = stacks_of(victim.pid());
  EXPECT_TRUE(report.at("exact").get<bool>()) << report.at("losses");
  Stacks before = addresses_in(report), theirs = stacks_of_gdb(victim.pid());
  EXPECT_EQ(before, theirs);
  // That the debugger has stopped it changes nothing.
  EXPECT_EQ(addresses_in(stacks_of(victim.pid())), theirs);
}

INSTANTIATE_TEST_SUITE_P(Cases, LiveStacks,
                         ::testing::Values("static_init", "by_raise", "fault_in_function", "alternate_stack",
                                           "qsort_callback", "variable_array", "big_alloca", "overaligned_avx",
                                           "thread_start", "in_catch", "in_destructor_during_unwinding", "plt_called",
                                           "sort_and_function", "once", "signal_in_signal", "vdso_fallback", "at_exit"),
                         [](const auto& info) { return std::string(info.param); });

// Threads that stand in different places, and one that runs.
class ThreadsInPlaces : public ::testing::Test {
 protected:
  void SetUp() override {
    while (contents(ready_) != "ready\n") ::usleep(1000);
  }
  pid_t pid() const { return victim_.pid(); }
  Ran stacks(Words options) {
    Words command = {culprit_path(), "stacks", std::to_string(pid())};
    command.insert(command.end(), options.begin(), options.end());
    return run(command);
  }

  TemporaryFolder folder_;
  std::string ready_ = folder_ / "ready";
  Running victim_{{"/bin/sh", "-c", "exec \"$0\" wait > \"$1\"", program("core_victim"), ready_}};
};

TEST_F(ThreadsInPlaces, AreToldInWordsWhatTheyWaitFor) {
  Json report = stacks_of(pid());
  EXPECT_EQ(report.at("kind"), "live");
  EXPECT_TRUE(report.at("exact").get<bool>()) << report.at("losses");
  std::map<std::string, std::string> waits;
  for (const Json& thread : report.at("threads")) waits[thread.at("name")] = thread.at("wait");
  EXPECT_EQ(waits["locker"], "waits for a mutex");
  EXPECT_EQ(waits["conditional"], "waits for a condition variable");
  EXPECT_EQ(waits["semaphore"], "waits for a semaphore");
  EXPECT_THAT(waits["reader"], ::testing::MatchesRegex("reads from fd [0-9]+ \\(pipe\\)"));
  EXPECT_THAT(waits["poller"], ::testing::MatchesRegex("waits for events of fd [0-9]+ \\(epoll\\)"));
  EXPECT_EQ(waits["sleeper"], "sleeps");
  EXPECT_EQ(waits["runner"], "runs");
  EXPECT_EQ(waits["core_victim"], "waits for a signal");
}

TEST_F(ThreadsInPlaces, HaveTheDebuggersStacks) {
  if (tool("gdb").empty()) GTEST_SKIP() << "gdb is not installed";
  Json report = stacks_of(pid());
  Stacks ours = addresses_in(report), theirs = stacks_of_gdb(pid());
  // One runs on: all but where it stands in its loop is the same.
  uint32_t runner = thread_named(report, "runner").at("tid");
  ASSERT_FALSE(ours[runner].empty() || theirs[runner].empty());
  ours[runner][0] = theirs[runner][0];
  EXPECT_EQ(ours, theirs);
}

TEST_F(ThreadsInPlaces, AreFoundByAFunctionOnTheirStack) {
  Json report = stacks_of(pid(), {"--find", "wait_for_lock"});
  ASSERT_EQ(report.at("threads").size(), 1u);
  EXPECT_EQ(report.at("threads")[0].at("name"), "locker");
  ASSERT_EQ(report.at("groups").size(), 1u);
  const Json& group = report.at("groups")[0];
  size_t place = group.at("found").at(0);
  EXPECT_THAT(group.at("stack").at(place).at("function").get<std::string>(), HasSubstr("wait_for_lock"));
  EXPECT_EQ(stacks_of(pid(), {"--find", "no_such_function"}).at("threads").size(), 0u);
}

TEST_F(ThreadsInPlaces, AreChosenByNumberAndByName) {
  Json one = stacks_of(pid(), {"--thread", "sleep*"});
  ASSERT_EQ(one.at("threads").size(), 1u);
  EXPECT_EQ(one.at("longest_stop"), 0);  // "runner" runs, but nobody has asked for it
  uint32_t tid = one.at("threads")[0].at("tid");
  EXPECT_EQ(stacks_of(pid(), {"--thread", std::to_string(tid)}).at("threads")[0].at("name"), "sleeper");
  EXPECT_GE(one.at("groups")[0].at("stack").size(), 200u);
  Ran none = stacks({"--thread", "nobody"});
  EXPECT_EQ(none.ending(), "exit 2");
  EXPECT_EQ(none.err, "culprit: no thread of the target has the number or name nobody\n");
}

TEST_F(ThreadsInPlaces, AreShownRawWithHowEachFrameWasFound) {
  Ran raw = stacks({"--raw", "--thread", "reader"});
  EXPECT_THAT(raw.out, HasSubstr("#0   0x0000"));
  EXPECT_THAT(raw.out, HasSubstr("[registers]"));
  EXPECT_THAT(raw.out, HasSubstr("[unwind table]"));
  EXPECT_EQ(raw.out.find("read_from_pipe"), std::string::npos);
  EXPECT_EQ(stacks({"--raw", "--find", "x"}).ending(), "exit 2");
}

TEST_F(ThreadsInPlaces, RunOnAsBefore) {
  for (int i = 0; i < 5; ++i) stacks_of(pid());
  Json report = stacks_of(pid());
  EXPECT_EQ(report.at("threads_in_all"), 8);
  EXPECT_EQ(thread_named(report, "runner").at("wait"), "runs");
}

TEST_F(ThreadsInPlaces, AreToldForPeopleWithinTheirTerminal) {
  Ran ran = stacks({});
  EXPECT_THAT(ran.out, HasSubstr("core_victim (pid "));
  EXPECT_THAT(ran.out, HasSubstr(": 8 threads, 8 different stacks; "));
  EXPECT_THAT(ran.out, HasSubstr("1 thread: waits for a mutex"));
  std::istringstream lines(ran.out);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 90u) << line;
}

TEST(StacksOfNothing, AreOneSentence) {
  Ran none = run({culprit_path(), "stacks", "no_such_program_or_file"});
  EXPECT_EQ(none.ending(), "exit 2");
  EXPECT_THAT(none.err, HasSubstr("is neither a process nor a file"));
}

}  // namespace
}  // namespace culprit::test
