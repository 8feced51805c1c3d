// The memory of processes that run already: `heap on` at the console, --stacks-of-size, --suspect, and WinDbg's recipe.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "support/run_culprit.h"

namespace culprit::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

bool works_by(const std::string& via) {
  static std::map<std::string, bool> known;
  if (!known.contains(via)) {
    Running sleeper({"/bin/sleep", "1000"});
    known[via] =
        run({culprit_path(), "attach", std::to_string(sleeper.pid()), "--via", via, "-c", "q"}).ending() == "exit 0";
  }
  return known[via];
}

// tests/programs/memory_victim, which answers requests and leaks 42076 bytes with each (`server`), or waits (`steps`).
class Victim {
 public:
  explicit Victim(const std::string& mode)
      : running_({"/bin/sh", "-c", "sleep 1000 | exec \"$0\" \"$1\" > \"$2\"", program("memory_victim"), mode,
                  folder_ / "said"}) {
    for (int look = 0; look < 20'000 && contents(folder_ / "said").find("ready") == std::string::npos; look++)
      usleep(1'000);
    for (pid_t child : running_.children())
      if (contents("/proc/" + std::to_string(child) + "/comm") == "memory_victim\n") pid_ = child;
  }
  std::string pid() const { return std::to_string(pid_); }
  bool is_running() const { return kill(pid_, 0) == 0; }

 private:
  TemporaryFolder folder_;
  Running running_;
  pid_t pid_ = 0;
};

Json json_in(const std::string& text) {
  const size_t begin = text.find('{'), end = text.rfind('}');
  return begin == std::string::npos ? Json() : Json::parse(text.substr(begin, end - begin + 1));
}

std::string blamed(const Json& report) {
  if (report.at("groups").empty()) return "nobody";
  const Json& worst = report.at("groups").at(0);
  return worst.at("stack").at(worst.at("blamed").get<size_t>()).dump();
}

class HeapOn : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!works_by(GetParam())) GTEST_SKIP() << "attaching by " << GetParam() << " does not work here";
  }
  Ran console(const Victim& victim, const std::string& commands, Words options = {}) {
    Words words{culprit_path(), "attach", victim.pid(), "--via", GetParam(), "-c", commands};
    words.insert(words.end(), options.begin(), options.end());
    return run(words);
  }
};

TEST_P(HeapOn, TellsWhatIsLeftOfWhatWasAllocatedSince) {
  Victim victim("server");
  Ran ran = console(victim, "heap on; sleep 500ms; heap --json");
  ASSERT_EQ(ran.ending(), "exit 0") << ran.err;
  Json report = json_in(ran.out);
  EXPECT_THAT(blamed(report), HasSubstr("remember_order"));
  EXPECT_EQ(report.at("groups").at(0).at("largest"), 42076);
  EXPECT_GT(report.at("totals").at("released"), 50);
  EXPECT_TRUE(report.at("exact").get<bool>()) << report.at("losses");
  EXPECT_TRUE(victim.is_running());
}

TEST_P(HeapOn, TellsWhoAllocatedABlock) {
  Victim victim("server");
  for (const char* question : {"!heap -p -a poi(newest_order)", "!heap -x poi(newest_order)"}) {
    Ran ran = console(victim, std::string("heap on; sleep 300ms; ") + question);
    ASSERT_EQ(ran.ending(), "exit 0") << ran.err;
    EXPECT_THAT(ran.out, HasSubstr("is the beginning of a block of arena")) << "what it is now";
    EXPECT_THAT(ran.out, HasSubstr("42,076 bytes"));
    EXPECT_THAT(ran.out, HasSubstr("remember_order"));
  }
  Ran ran = console(victim, "!heap -p -a poi(newest_order)");
  EXPECT_THAT(ran.out, Not(HasSubstr("remember_order"))) << "nothing is recorded";
}

TEST_P(HeapOn, ComparesMarks) {
  Victim victim("server");
  Ran ran = console(victim, "heap on; sleep 200ms; mark a; sleep 200ms; mark b; sleep 200ms; heap diff a b --json");
  ASSERT_EQ(ran.ending(), "exit 0") << ran.err;
  Json report = json_in(ran.out);
  EXPECT_THAT(blamed(report), HasSubstr("remember_order"));
  EXPECT_GT(report.at("window").at("from"), 0.0);
  const Json& group = report.at("groups").at(0);
  EXPECT_GE(group.at("first"), report.at("window").at("from"));
  EXPECT_LE(group.at("last"), report.at("window").at("to"));
}

TEST_P(HeapOn, GoesOffAndWhatWasLeftThenCanStillBeAsked) {
  Victim victim("server");
  Ran ran = console(victim, "heap on; sleep 200ms; heap off; sleep 200ms; heap --json");
  ASSERT_EQ(ran.ending(), "exit 0") << ran.err;
  Json report = json_in(ran.out);
  EXPECT_THAT(blamed(report), HasSubstr("remember_order"));
  EXPECT_LT(report.at("window").at("to"), report.at("recording").at("duration"));
  EXPECT_TRUE(report.at("exact").get<bool>()) << report.at("losses");
  ran = console(victim, "heap off");
  EXPECT_THAT(ran.err, HasSubstr("memory is not recorded"));
}

TEST_P(HeapOn, TwoStretchesAreAskedOneAtATime) {
  Victim victim("server");
  Ran ran = console(victim, "heap on; sleep 100ms; heap off; heap on; sleep 100ms; heap --json");
  ASSERT_EQ(ran.ending(), "exit 0") << ran.err;
  EXPECT_TRUE(json_in(ran.out).at("exact").get<bool>()) << ran.out;
  ran = console(victim, "heap on; sleep 100ms; heap off; heap on; sleep 100ms; heap --from 0s --json");
  ASSERT_EQ(ran.ending(), "exit 0") << ran.err;
  EXPECT_EQ(loss(json_in(ran.out), "memory_paused"), 1u);
}

TEST_P(HeapOn, IsKeptInTheRecordingBesideTheHandles) {
  Victim victim("server");
  TemporaryFolder folder;
  Ran ran = console(victim, "heap on; sleep 300ms", {"-o", folder / "x.culprit"});
  ASSERT_EQ(ran.ending(), "exit 0") << ran.err;
  Ran heap = run({culprit_path(), "heap", folder / "x.culprit", "--json"});
  ASSERT_EQ(heap.ending(), "exit 0") << heap.err;
  Json report = json_in(heap.out);
  EXPECT_THAT(blamed(report), HasSubstr("remember_order"));
  EXPECT_EQ(report.at("processes").size(), 1u) << "one process, whoever tells of it";
  Ran handles = run({culprit_path(), "handles", folder / "x.culprit", "--json"});
  ASSERT_EQ(handles.ending(), "exit 0") << handles.err;
  EXPECT_EQ(json_in(handles.out).at("processes").size(), 1u);
}

TEST_P(HeapOn, IsAnsweredFromWhatACulpritThatWasKilledHasLeft) {
  Victim victim("server");
  TemporaryFolder folder;
  const std::string left = folder / "x.culprit.partial";
  {
    Running console({culprit_path(), "attach", victim.pid(), "--via", GetParam(), "-o", folder / "x.culprit", "-c",
                     "heap on; sleep 1000s"});
    bool is_there = false;
    for (int look = 0; look < 1000 && !is_there; ++look) {
      Ran ran = run({culprit_path(), "heap", left, "--json"});
      is_there = ran.ending() == "exit 0" && !json_in(ran.out).at("groups").empty();
    }
    ASSERT_TRUE(is_there);
  }  // killed
  Ran ran = run({culprit_path(), "heap", left, "--json"});
  ASSERT_EQ(ran.ending(), "exit 0") << ran.err;
  Json report = json_in(ran.out);
  EXPECT_THAT(blamed(report), HasSubstr("remember_order"));
  EXPECT_FALSE(report.at("exact").get<bool>());
  EXPECT_EQ(loss(report, "recording_incomplete"), 1u) << report.at("losses");
  EXPECT_TRUE(victim.is_running());
}

// tests/programs/mapping_victim, which keeps mappings of 3 pages, and has malloc map some for itself.
TEST_P(HeapOn, TellsWhatIsMappedBesideTheAllocator) {
  TemporaryFolder folder;
  Running victim({program("mapping_victim"), "server"}, {.environment = {"READY=" + (folder / "ready")}});
  ASSERT_TRUE(wait_for_file(folder / "ready"));
  auto ask = [&](const std::string& commands) {
    Ran ran = run({culprit_path(), "attach", std::to_string(victim.pid()), "--via", GetParam(), "-c", commands});
    EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
    return json_in(ran.out);
  };
  Json report = ask("heap on; sleep 300ms; heap --mappings --json");
  ASSERT_EQ(report.at("groups").size(), 1u) << report;
  const Json& group = report.at("groups").at(0);
  EXPECT_TRUE(on_stack(group.at("stack"), "(anonymous namespace)::kept_by_server"));
  EXPECT_EQ(group.at("mapping"), "anonymous");
  EXPECT_EQ(group.at("bytes"), group.at("count").get<uint64_t>() * 3 * 4096);
  report = ask("heap on; sleep 100ms; heap off; mark off; sleep 200ms; heap --mappings --from off --to 1h --json");
  EXPECT_TRUE(report.at("groups").empty()) << "nothing is recorded any more: " << report;
}

INSTANTIATE_TEST_SUITE_P(By, HeapOn, ::testing::Values("agent", "bpf"),
                         [](const auto& back_end) { return std::string(back_end.param); });

TEST(StacksOfSize, AreThoseOfTheSizeAlone) {
  if (!works_by("agent")) GTEST_SKIP() << "attaching by agent does not work here";
  Victim victim("server");
  Ran ran = run({culprit_path(), "heap", victim.pid(), "--stacks-of-size", "0xa45c", "--for", "300ms", "--json"});
  ASSERT_EQ(ran.ending(), "exit 0") << ran.err;
  Json report = json_in(ran.out);
  ASSERT_EQ(report.at("groups").size(), 1u);
  EXPECT_THAT(blamed(report), HasSubstr("remember_order"));
  EXPECT_EQ(report.at("groups").at(0).at("smallest"), 42076);
  EXPECT_TRUE(report.at("exact").get<bool>()) << report.at("losses");
  for (const Words& sizes : {Words{"--stacks-of-size", "40-60"}, {"--stacks-of-size", "--range", "40-60"}}) {
    Words words = {culprit_path(), "heap", victim.pid(), "--for", "300ms"};
    words.insert(words.end(), sizes.begin(), sizes.end());
    ran = run(words);
    EXPECT_THAT(ran.out, HasSubstr("answer_request"));
    EXPECT_THAT(ran.out, Not(HasSubstr("remember_order")));
  }
  EXPECT_TRUE(victim.is_running());
}

TEST(StacksOfSize, OfWhatIsNoSizeOrNoProcessIsOneSentence) {
  Ran ran = run({culprit_path(), "heap", std::to_string(getpid()), "--stacks-of-size", "many"});
  EXPECT_EQ(ran.ending(), "exit 2");
  EXPECT_THAT(ran.err, HasSubstr("--stacks-of-size takes a size"));
  ran = run({culprit_path(), "heap", std::to_string(getpid()), "--stacks-of-size"});
  EXPECT_EQ(ran.ending(), "exit 2");
  EXPECT_THAT(ran.err, HasSubstr("--stacks-of-size takes a size"));
  ran = run({culprit_path(), "heap", std::to_string(getpid()), "--stacks-of-size", "48", "--range", "40-60"});
  EXPECT_EQ(ran.ending(), "exit 2");
  EXPECT_THAT(ran.err, HasSubstr("give one of them"));
  ran = run({culprit_path(), "heap", std::to_string(getpid()), "--stacks-of-size", "48", "--peak"});
  EXPECT_EQ(ran.ending(), "exit 2");
  EXPECT_THAT(ran.err, HasSubstr("--peak does not go with --stacks-of-size"));
  ran = run({culprit_path(), "heap", std::to_string(getpid()), "--for", "1s"});
  EXPECT_EQ(ran.ending(), "exit 2");
  EXPECT_THAT(ran.err, HasSubstr("--for is only for"));
}

TEST(Suspect, IsTheSizeThatGrowsAndItsStack) {
  if (!works_by("agent")) GTEST_SKIP() << "attaching by agent does not work here";
  Victim victim("server");
  Ran ran = run({culprit_path(), "heap", victim.pid(), "--suspect", "--for", "600ms"});
  ASSERT_EQ(ran.ending(), "exit 0") << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("culprit: blocks of 42,"));
  EXPECT_THAT(ran.out.substr(0, ran.out.find("\n\n")), HasSubstr("remember_order"));
  EXPECT_TRUE(victim.is_running());
}

TEST(StacksOfSize, CanBeKeptAndAskedAgain) {
  if (!works_by("agent")) GTEST_SKIP() << "attaching by agent does not work here";
  Victim victim("server");
  TemporaryFolder folder;
  Ran ran = run({culprit_path(), "heap", victim.pid(), "--stacks-of-size", "0xa45c", "--for", "300ms", "-o",
                 folder / "x.culprit"});
  ASSERT_EQ(ran.ending(), "exit 0") << ran.err;
  ran = run({culprit_path(), "heap", folder / "x.culprit", "--json"});
  ASSERT_EQ(ran.ending(), "exit 0") << ran.err;
  EXPECT_THAT(blamed(json_in(ran.out)), HasSubstr("remember_order"));
}

TEST(Suspect, IsNobodyWhereNothingGrows) {
  Victim victim("steps");
  Ran ran = run({culprit_path(), "heap", victim.pid(), "--suspect", "--for", "200ms"});
  ASSERT_EQ(ran.ending(), "exit 0") << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("the heap did not grow"));
}

// As it stands in many a blog: which heap, which size, where its blocks are, who makes them.
TEST(Recipe, OfWinDbgWorksWordForWord) {
  Victim victim("server");
  Ran ran = run({culprit_path(), "shell", victim.pid(), "-c",
                 "!heap -s; !heap -stat -h 0; !heap -flt s a45c; bp malloc \"j (@rdi == 0xa45c) 'k'; 'gc'\"; g; q"});
  ASSERT_EQ(ran.ending(), "exit 0") << ran.err << ran.out;
  EXPECT_THAT(ran.out, HasSubstr("2 arenas"));
  EXPECT_THAT(ran.out, HasSubstr("remember_order")) << "the stack of a block of that size";
  EXPECT_THAT(ran.out, Not(HasSubstr("answer_request"))) << "and of no other";
  EXPECT_TRUE(victim.is_running());
}

}  // namespace
}  // namespace culprit::test
