// `culprit heap --unreachable` on programs that leak in a known way, and on others that lose nothing, live and as
// cores; beside LeakSanitizer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <functional>

#include "support/heap_program.h"
#include "support/kernel_core.h"
#include "support/run_culprit.h"

namespace culprit::test {
namespace {

using ::testing::HasSubstr;

std::pair<uint64_t, uint64_t> leaked(const Json& answer) {
  return {answer["direct"]["count"], answer["indirect"]["count"]};
}

class Leaks : public ::testing::TestWithParam<std::tuple<const char*, uint64_t, uint64_t>> {};
TEST_P(Leaks, AreFoundEachAndNothingElse) {
  auto [mode, direct, indirect] = GetParam();
  HeapProgram made("leak_victim", mode);
  const Json answer = ask_heap({made.pid(), "--unreachable"});
  EXPECT_EQ(leaked(answer), std::pair(direct, indirect)) << answer["groups"].dump(1);
}
INSTANTIATE_TEST_SUITE_P(Heap, Leaks,
                         ::testing::Values(std::tuple("direct", 10, 0), std::tuple("indirect", 1, 1),
                                           std::tuple("ring", 1, 1), std::tuple("objects", 502, 0),
                                           std::tuple("lost-list", 1, 40), std::tuple("dead-stack", 1, 0),
                                           std::tuple("freed-pointer", 1, 0)));

class LeaksInACore : public Leaks {};
TEST_P(LeaksInACore, AreThoseOfTheProcess) {
  if (tool("gdb").empty()) GTEST_SKIP() << "gdb, which has gcore, is not here";
  auto [mode, direct, indirect] = GetParam();
  HeapProgram made("leak_victim", mode);
  const Json answer = ask_heap({core_of_process(made.pid(), made.folder), "--unreachable"});
  EXPECT_EQ(leaked(answer), std::pair(direct, indirect)) << answer["groups"].dump(1);
}
INSTANTIATE_TEST_SUITE_P(Heap, LeaksInACore,
                         ::testing::Values(std::tuple("direct", 10, 0), std::tuple("indirect", 1, 1),
                                           std::tuple("ring", 1, 1), std::tuple("lost-list", 1, 40),
                                           std::tuple("dead-stack", 1, 0), std::tuple("freed-pointer", 1, 0)));

class NoLeak : public ::testing::TestWithParam<const char*> {};
TEST_P(NoLeak, IsFoundWhereSomethingPointsToTheBlock) {
  HeapProgram made("leak_victim", GetParam());
  const Json answer = ask_heap({made.pid(), "--unreachable", "--fail-on-leak"});
  EXPECT_EQ(leaked(answer), std::pair(uint64_t{0}, uint64_t{0})) << answer["groups"].dump(1);
}
INSTANTIATE_TEST_SUITE_P(Heap, NoLeak,
                         ::testing::Values("only-in-register", "only-in-vector-register", "in-variable",
                                           "in-thread-variable", "interior", "tagged", "array-with-count", "in-list",
                                           "in-mapping", "behind-large-block", "in-other-thread", "containers",
                                           "in-protected-memory", "in-protected-variable", "in-protected-file"));

class NoLeakInACore : public ::testing::TestWithParam<const char*> {};
TEST_P(NoLeakInACore, IsFoundWhereSomethingPointsToTheBlock) {
  if (tool("gdb").empty()) GTEST_SKIP() << "gdb, which has gcore, is not here";
  HeapProgram made("leak_victim", GetParam());
  const Json answer = ask_heap({core_of_process(made.pid(), made.folder), "--unreachable"});
  EXPECT_EQ(leaked(answer), std::pair(uint64_t{0}, uint64_t{0})) << answer["groups"].dump(1);
  EXPECT_GT(answer["reachable"]["count"], 0);
}
INSTANTIATE_TEST_SUITE_P(Heap, NoLeakInACore,
                         ::testing::Values("only-in-register", "only-in-vector-register", "in-thread-variable",
                                           "in-protected-memory", "in-protected-variable", "in-protected-file"));

TEST(LeaksOfAProgram, WhoseMainThreadHasEndedAreFound) {
  HeapProgram made("leak_victim", "main-has-ended");
  const Json answer = ask_heap({made.pid(), "--unreachable"});
  EXPECT_EQ(leaked(answer), std::pair(uint64_t{10}, uint64_t{0})) << answer["groups"].dump(1);
  EXPECT_TRUE(answer["exact"].get<bool>()) << answer["losses"].dump(1);
}

// gdb attaches to no process whose main thread has ended.
TEST(LeaksOfAProgram, WhoseMainThreadHasEndedAreFoundInItsCore) {
  if (!kernel_leaves_cores()) GTEST_SKIP() << "the kernel leaves no cores in the folder of a program";
  TemporaryFolder folder;
  Running running({program("leak_victim"), "main-has-ended", folder / "said"},
                  {.directory = folder.path(), .in_child = allow_core});
  ASSERT_TRUE(wait_for_file(folder / "said"));
  const std::string core = kernels_core(folder.path(), running.pid());
  ::kill(running.pid(), SIGABRT);
  ASSERT_EQ(running.wait().signal(), SIGABRT);
  const Json answer = ask_heap({core, "--unreachable"});
  EXPECT_EQ(leaked(answer), std::pair(uint64_t{10}, uint64_t{0})) << answer["groups"].dump(1);
}

TEST(StaticProgram, HasNoLeakWhereItsLibraryKeepsBlocksInProtectedVariables) {
  HeapProgram made("leak_victim_static", "in-variable");
  const Json answer = ask_heap({made.pid(), "--unreachable"});
  EXPECT_EQ(leaked(answer), std::pair(uint64_t{0}, uint64_t{0})) << answer["groups"].dump(1);
}

TEST(Leaks, AreGroupedByClass) {
  HeapProgram made("leak_victim", "objects");
  const Json answer = ask_heap({made.pid(), "--unreachable"});
  std::map<std::string, uint64_t> types;
  for (const Json& group : answer["groups"])
    if (group.contains("type")) types[group["type"]] = group["count"];
  EXPECT_EQ(types["Order"], 500u);
  EXPECT_EQ(types["Order[]"], 1u);
  EXPECT_EQ(run({culprit_path(), "heap", made.pid(), "--unreachable", "--fail-on-leak"}).ending(), "exit 1");
  EXPECT_THAT(ask_heap_for_text({made.pid(), "--unreachable"}).out, HasSubstr("Order "));
}

TEST(Leaks, TellWhoUsedToPointThere) {
  HeapProgram made("leak_victim", "freed-pointer");
  const Json answer = ask_heap({made.pid(), "--unreachable"});
  ASSERT_EQ(answer["groups"].size(), 1u);
  EXPECT_TRUE(answer["groups"][0]["stale_pointer"]["freed_block"].is_number());
}

// LeakSanitizer takes no mapping of the program's own for a root (__lsan_register_root_region() is for these), and
// culprit does: what they keep would else be called leaked in every program that has an allocator or a cache in such.
TEST(Leaks, AreThoseOfLeakSanitizer) {
  for (const char* mode : {"direct", "indirect", "ring", "objects", "lost-list", "dead-stack", "freed-pointer",
                           "in-variable", "in-thread-variable", "interior", "tagged", "array-with-count", "in-list",
                           "behind-large-block", "in-other-thread", "containers", "in-protected-variable"}) {
    const auto theirs = verdict_of_leak_sanitizer({program("leak_victim_lsan"), mode, "-"}, 1);
    if (!theirs) GTEST_SKIP() << "LeakSanitizer does not work here";
    HeapProgram made("leak_victim", mode);
    const auto [direct, indirect] = leaked(ask_heap({made.pid(), "--unreachable"}));
    EXPECT_EQ(direct + indirect, theirs->count) << mode;
  }
}

class CleanProgram : public ::testing::TestWithParam<const char*> {
 protected:
  CleanProgram() : made_("clean_programs", GetParam(), {program("libclean_library.so")}) {}
  std::string pid() {
    std::string pid = contents(made_.folder / "said");
    while (!pid.empty() && pid.back() == '\n') pid.pop_back();
    return pid;
  }
  void expect_none(const std::string& target) {
    const Json answer = ask_heap({target, "--unreachable"});
    EXPECT_EQ(leaked(answer), std::pair(uint64_t{0}, uint64_t{0})) << answer["groups"].dump(1);
    EXPECT_GT(answer["reachable"]["count"], 10);
    EXPECT_TRUE(answer["exact"].get<bool>()) << answer["losses"].dump(1);
  }

  HeapProgram made_;
};
TEST_P(CleanProgram, HasNoLeak) { expect_none(pid()); }
TEST_P(CleanProgram, HasNoLeakAsACore) {
  if (tool("gdb").empty()) GTEST_SKIP() << "gdb, which has gcore, is not here";
  expect_none(core_of_process(pid(), made_.folder));
}
TEST_P(CleanProgram, HasNoLeakForLeakSanitizer) {
  const auto theirs =
      verdict_of_leak_sanitizer({program("clean_programs_lsan"), GetParam(), "-", program("libclean_library.so")}, 1);
  if (!theirs) GTEST_SKIP() << "LeakSanitizer does not work here";
  EXPECT_EQ(*theirs, Leaked{});
}
INSTANTIATE_TEST_SUITE_P(Heap, CleanProgram,
                         ::testing::Values("containers", "shared-graph", "threads", "tagged-tree", "loaded-library",
                                           "coroutines", "contexts", "thrown", "forked-child", "c-library",
                                           "thread-keys"));

// Programs people use, which stand in the middle of their work.
class CleanTool : public ::testing::Test {
 protected:
  // `command` makes the file "ready" where it starts.
  void expect_none(const char* name, const Words& options, const RunOptions& how = {}) {
    const std::string path = tool(name);
    if (path.empty()) GTEST_SKIP() << name << " is not installed";
    Words command{path};
    command.insert(command.end(), options.begin(), options.end());
    RunOptions in_folder = how;
    in_folder.directory = folder_.path();
    Running running(command, in_folder);
    ASSERT_TRUE(wait_for_file(folder_ / "ready"));
    // What is lost stays lost; but a thread that works in the background may have a block in the way in which nobody
    // can see that it has it, for a moment.
    Json answer;
    for (int look = 0; look < 20; ++look) {
      answer = ask_heap({std::to_string(running.pid()), "--unreachable"});
      if (leaked(answer) == std::pair(uint64_t{0}, uint64_t{0})) break;
    }
    EXPECT_EQ(leaked(answer), std::pair(uint64_t{0}, uint64_t{0})) << answer["groups"].dump(1);
    EXPECT_GT(answer["reachable"]["count"], 100);
  }

  TemporaryFolder folder_;
};

TEST_F(CleanTool, PerlHasNoLeak) {
  expect_none("perl",
              {"-e", "my %h = map { $_ => [1..10] } 1..1000; open(my $f, '>', 'ready'); close $f; sleep 1 while 1"});
}
TEST_F(CleanTool, NodeHasNoLeak) {
  expect_none("node", {"-e", R"(
const kept = []; for (let i = 0; i < 1000; i++) kept.push(Buffer.alloc(10000));
require('fs').writeFileSync('ready', ''); setTimeout(() => kept, 1e8);)"});
}
TEST_F(CleanTool, SqliteHasNoLeak) {
  // Its input comes from a pipe that nobody closes.
  const std::string fifo = folder_ / "input";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  write_file(folder_ / "script",
             "create table t(a, b);\nwith recursive n(i) as (select 1 union all select i + 1 from n "
             "where i < 20000) insert into t select i, i * i % 97 from n;\n"
             "create index x on t(b);\n.shell touch ready\n.read input\n");
  expect_none("sqlite3", {":memory:", ".read script"});
}
TEST_F(CleanTool, PythonHasNoLeak) {
  expect_none("python3", {"-c", R"(
import json, sqlite3, threading, signal
kept = [str(i) * 100 for i in range(1000)]
base = sqlite3.connect(':memory:'); base.execute('create table t(a)')
threading.Thread(target=signal.pause, daemon=True)
json.loads(json.dumps(kept)); open('ready', 'w').close(); signal.pause()
)"});
}

}  // namespace
}  // namespace culprit::test
