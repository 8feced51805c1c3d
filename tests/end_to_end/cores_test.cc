// Cores of real processes, made by the kernel and by gdb's gcore: their stacks against the debugger's, frame by frame.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/resource.h>

#include <filesystem>
#include <sstream>

#include "support/kernel_core.h"
#include "support/run_culprit.h"
#include "support/walk_target.h"

namespace culprit::test {
namespace {

using testing::Addresses;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Stacks = std::map<uint32_t, Addresses>;

// "thread 17 7f0012 7f0034 …"
Stacks stacks_of_gdb(const std::string& core, const std::string& executable) {
  Ran gdb = run({tool("gdb"), "-nx", "-batch", executable, core, "-x", CULPRIT_GDB_CORE_SCRIPT});
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

std::unique_ptr<Target> open(const std::string& core) {
  auto target = open_core(core);
  EXPECT_TRUE(target) << target.error().what;
  return target ? std::move(*target) : nullptr;
}

void expect_the_debuggers_stacks(const std::string& core, const std::string& executable) {
  auto target = open(core);
  ASSERT_NE(target, nullptr);
  EXPECT_THAT(target->info().losses, IsEmpty());
  Stacks ours = testing::walk_all(*target), theirs = stacks_of_gdb(core, executable);
  EXPECT_EQ(ours.size(), theirs.size());
  for (const auto& [tid, stack] : theirs) EXPECT_EQ(ours[tid], stack) << "thread " << tid;
}

class CoresOfTheKernel : public ::testing::TestWithParam<const char*> {
 protected:
  // Leaves a core of core_victim, which died as it was told; false: that cannot be had here.
  bool make() {
    if (!may_leave_cores() || kernels_core(folder_.path(), 1).empty() || tool("gdb").empty()) return false;
    Running victim({program("core_victim"), GetParam()}, {.directory = folder_.path(), .in_child = allow_core});
    pid_ = static_cast<uint32_t>(victim.pid());
    Ran ran = victim.wait();
    EXPECT_NE(ran.signal(), 0) << ran.ending();
    core_ = kernels_core(folder_.path(), victim.pid());
    EXPECT_TRUE(std::filesystem::exists(core_));
    return std::filesystem::exists(core_);
  }

  TemporaryFolder folder_;
  std::string core_;
  uint32_t pid_ = 0;
};

TEST_P(CoresOfTheKernel, HaveTheStacksThatTheDebuggerSees) {
  if (!make()) GTEST_SKIP() << "the kernel writes no plain core files here, or gdb is not installed";
  expect_the_debuggers_stacks(core_, program("core_victim"));
}

TEST_P(CoresOfTheKernel, TellWhatTheProcessDiedOf) {
  if (!make()) GTEST_SKIP() << "the kernel writes no plain core files here, or gdb is not installed";
  auto target = open(core_);
  ASSERT_NE(target, nullptr);
  const TargetInfo& info = target->info();
  EXPECT_EQ(info.pid, pid_);
  EXPECT_EQ(info.signal_tid, pid_);
  EXPECT_EQ(info.executable, std::filesystem::canonical(program("core_victim")).string());
  EXPECT_TRUE(info.command.ends_with(std::string("core_victim ") + GetParam())) << info.command;
  auto threads = target->threads(ThreadWish::stacks);
  EXPECT_EQ(threads->front().name, "core_victim");
  std::string how = GetParam();
  if (how == "fault") {
    EXPECT_EQ(info.signal, SIGSEGV);
    EXPECT_EQ(info.signal_code, SEGV_MAPERR);
    EXPECT_EQ(info.fault_address, 0x1234u);
  } else {
    EXPECT_EQ(info.signal, how == "abort" ? SIGABRT : SIGBUS);
    EXPECT_EQ(info.signal_code, how == "abort" ? SI_TKILL : SI_QUEUE);
    EXPECT_EQ(info.fault_address, 0u);
    EXPECT_EQ(info.sender_pid, pid_);
    EXPECT_EQ(info.sender_uid, ::getuid());
  }
}

INSTANTIATE_TEST_SUITE_P(Deaths, CoresOfTheKernel, ::testing::Values("abort", "fault", "queue"),
                         [](const auto& info) { return std::string(info.param); });

// With one blank instead of each line break and what follows it.
std::string unwrapped(const std::string& text) {
  std::istringstream words(text);
  std::string line, word;
  while (words >> word) line += (line.empty() ? "" : " ") + word;
  return line;
}

TEST(CoresWithoutTheirProgram, SayWhichBuildIsMissingAndWhereItWasLookedFor) {
  TemporaryFolder folder;
  if (!may_leave_cores() || kernels_core(folder.path(), 1).empty())
    GTEST_SKIP() << "the kernel writes no plain core files here";
  std::string copy = folder / "victim";
  std::filesystem::copy_file(program("core_victim"), copy);
  Running victim({copy, "fault"}, {.directory = folder.path(), .in_child = [] {
                                     rlimit all{.rlim_cur = rlim_t{1} << 30, .rlim_max = rlim_t{1} << 30};
                                     ::setrlimit(RLIMIT_CORE, &all);
                                   }});
  std::string core = kernels_core(folder.path(), victim.pid());
  EXPECT_EQ(victim.wait().signal(), SIGSEGV);
  std::filesystem::rename(copy, folder / "moved");
  Ran without = run({culprit_path(), "stacks", core});
  EXPECT_EQ(without.ending(), "exit 0") << without.err;
  std::string said = unwrapped(without.out);
  EXPECT_THAT(said, HasSubstr("ended by SIGSEGV at address 0x1234 in thread"));
  EXPECT_THAT(said, HasSubstr("1 file is missing that the process had mapped"));
  EXPECT_THAT(said, HasSubstr(copy + ", on 8 stacks"));
  EXPECT_THAT(said, HasSubstr("build id "));
  EXPECT_THAT(said, HasSubstr("partial, because"));
  Ran told = run({culprit_path(), "stacks", core, "--executable", folder / "moved"});
  EXPECT_THAT(told.out, HasSubstr("wait_for_condition"));
  EXPECT_THAT(told.out, Not(HasSubstr("is missing")));
}

// With everything in the core, its files are not needed to walk its stacks.
TEST(CoresWithEverything, NeedNoFiles) {
  TemporaryFolder folder;
  if (!may_leave_cores() || kernels_core(folder.path(), 1).empty() || tool("gdb").empty())
    GTEST_SKIP() << "the kernel writes no plain core files here, or gdb is not installed";
  std::string copy = folder / "victim";
  std::filesystem::copy_file(program("core_victim"), copy);
  auto leave_all = [] {
    if (int filter = ::open("/proc/self/coredump_filter", O_WRONLY); filter < 0 || ::write(filter, "0x7f", 4) != 4)
      _exit(9);
    rlimit all{.rlim_cur = rlim_t{1} << 30, .rlim_max = rlim_t{1} << 30};
    ::setrlimit(RLIMIT_CORE, &all);
  };
  Running victim({copy, "abort"}, {.directory = folder.path(), .in_child = leave_all});
  std::string core = kernels_core(folder.path(), victim.pid());
  EXPECT_EQ(victim.wait().signal(), SIGABRT);
  auto theirs = stacks_of_gdb(core, copy);
  std::filesystem::remove(copy);
  auto target = open(core);
  ASSERT_NE(target, nullptr);
  ASSERT_EQ(target->info().losses.size(), 1u);
  EXPECT_EQ(target->info().losses[0].kind, LossKind::modules_missing);
  EXPECT_EQ(testing::walk_all(*target), theirs);
}

class CoresOfGcore : public ::testing::Test {
 protected:
  void SetUp() override {
    if (tool("gdb").empty() || tool("gcore").empty()) GTEST_SKIP() << "gdb is not installed";
    ready_ = folder_ / "ready";
    victim_.emplace(Words{"/bin/sh", "-c", "exec \"$0\" wait > \"$1\"", program("core_victim"), ready_});
    while (contents(ready_) != "ready\n") ::usleep(1000);
  }
  std::string make() {
    Ran ran = run({tool("gcore"), "-o", folder_ / "core", std::to_string(victim_->pid())});
    std::string core = folder_ / ("core." + std::to_string(victim_->pid()));
    EXPECT_TRUE(std::filesystem::exists(core)) << ran.out << ran.err;
    return core;
  }

  TemporaryFolder folder_;
  std::string ready_;
  std::optional<Running> victim_;
};

TEST_F(CoresOfGcore, HaveTheStacksThatTheDebuggerSees) { expect_the_debuggers_stacks(make(), program("core_victim")); }

TEST_F(CoresOfGcore, HaveTheStacksThatTheLiveProcessHas) {
  auto live = open_live_process(static_cast<uint32_t>(victim_->pid()));
  ASSERT_TRUE(live) << live.error().what;
  Stacks before = testing::walk_all(**live);
  auto core = open(make());
  ASSERT_NE(core, nullptr);
  Stacks after = testing::walk_all(*core);
  EXPECT_EQ(before.size(), 8u);
  auto threads = core->threads(ThreadWish::stacks);
  for (const TargetThread& thread : *threads) {
    auto& [tid, stack] = *before.find(thread.tid);
    // One runs on: all but where it stands in its loop is the same.
    if (!thread.blocked_in) stack.at(0) = after[tid].at(0);
    EXPECT_EQ(stack, after[tid]) << "thread " << tid;
  }
  ASSERT_EQ((*live)->modules().size(), core->modules().size());
  for (size_t i = 0; i < core->modules().size(); ++i) {
    const TargetModule &one = (*live)->modules()[i], &other = core->modules()[i];
    EXPECT_EQ(one.module, other.module);
    EXPECT_EQ(one.start, other.start) << one.module.path;
    EXPECT_EQ(one.end, other.end) << one.module.path;
    EXPECT_EQ(one.bias, other.bias) << one.module.path;
  }
}

// Function and address of each frame, by tid; of the thread that runs, without the place in its loop.
std::map<uint32_t, std::vector<std::string>> answer_of_culprit(const std::string& target) {
  Ran ran = run({culprit_path(), "stacks", target, "--json"});
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  Json answer = Json::parse(ran.out, nullptr, false);
  EXPECT_TRUE(answer.at("exact").get<bool>()) << ran.out;
  std::map<uint32_t, std::vector<std::string>> stacks;
  for (const Json& group : answer.at("groups")) {
    std::vector<std::string> frames;
    for (const Json& frame : group.at("stack"))
      frames.push_back(frame.at("function").get<std::string>() + " " + frame.at("address").dump());
    const std::string innermost = group.at("stack").at(0).at("address").dump();
    if (group.at("wait") == "" || group.at("wait") == "runs")
      std::erase_if(frames, [&](const std::string& frame) { return frame.ends_with(" " + innermost); });
    for (const Json& tid : group.at("threads")) stacks[tid.get<uint32_t>()] = frames;
  }
  return stacks;
}

TEST_F(CoresOfGcore, GiveTheAnswerOfTheLiveProcess) {
  auto live = answer_of_culprit(std::to_string(victim_->pid()));
  auto core = answer_of_culprit(make());
  EXPECT_EQ(live.size(), 8u);
  EXPECT_EQ(core.size(), 8u);
  for (const auto& [tid, stack] : live) EXPECT_EQ(stack, core[tid]) << "thread " << tid;
}

TEST_F(CoresOfGcore, OfAHealthyProcessTellOfNoSignal) {
  auto target = open(make());
  ASSERT_NE(target, nullptr);
  EXPECT_EQ(target->info().signal, 0);
  EXPECT_EQ(target->info().signal_tid, 0u);
  EXPECT_EQ(target->info().pid, static_cast<uint32_t>(victim_->pid()));
}

TEST_F(CoresOfGcore, KnowWhatEachThreadWaitsFor) {
  auto target = open(make());
  ASSERT_NE(target, nullptr);
  auto threads = target->threads(ThreadWish::stacks);
  ASSERT_EQ(threads->size(), 8u);
  std::multiset<int64_t> calls;
  for (const TargetThread& thread : *threads)
    calls.insert(thread.blocked_in ? static_cast<int64_t>(thread.blocked_in->number) : -1);
  // The runner; read, pause, three of futex, clock_nanosleep, epoll_wait.
  EXPECT_EQ(calls, (std::multiset<int64_t>{-1, 0, 34, 202, 202, 202, 230, 232}));
}

std::string hard_case(const ::testing::TestParamInfo<const char*>& info) { return info.param; }

class HardStacksInCores : public ::testing::TestWithParam<const char*> {};

// The debugger stops at each hard case, prints the stack that it sees there, and leaves a core.
TEST_P(HardStacksInCores, AreThoseOfTheDebuggerAtThatMoment) {
  std::string gdb = tool("gdb");
  if (gdb.empty()) GTEST_SKIP() << "gdb is not installed";
  TemporaryFolder folder;
  Ran debugger = run({gdb, "-nx", "-batch", "-x", CULPRIT_GDB_SCRIPT, program(GetParam())},
                     {.environment = {"CULPRIT_CORES=" + folder.path()}});
  std::istringstream lines(debugger.out);
  int cases = 0;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word;
    if (!(words >> word) || word != "core") continue;
    cases++;
    std::string value;
    uint32_t tid = 0;
    words >> value >> tid;
    Addresses theirs;
    while (words >> word) theirs.push_back(std::stoull(word, nullptr, 16));
    auto target = open(folder / value);
    ASSERT_NE(target, nullptr);
    EXPECT_THAT(target->info().losses, IsEmpty());
    EXPECT_EQ(testing::walk_all(*target)[tid], theirs) << "case " << value;
  }
  EXPECT_GE(cases, 17) << debugger.out << debugger.err;
}

INSTANTIATE_TEST_SUITE_P(Programs, HardStacksInCores, ::testing::Values("hard_stacks", "hard_stacks_no_pie"),
                         hard_case);

}  // namespace
}  // namespace culprit::test
