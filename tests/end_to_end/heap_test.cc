// `culprit heap` on programs that say what their heaps are, live and as cores.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>

#include "support/run_culprit.h"

namespace culprit::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// A program of tests/programs that has made its heap, with what it says of it.
struct Made {
  explicit Made(const std::string& name, const std::string& mode) : running({program(name), mode, folder / "said"}) {
    EXPECT_TRUE(wait_for_file(folder / "said")) << mode;
    std::ifstream lines(folder / "said");
    for (std::string key, value; lines >> key >> value;) said[key] = value;
  }
  std::string pid() const { return std::to_string(running.pid()); }
  uint64_t number(const std::string& key) const { return std::stoull(said.at(key), nullptr, 0); }

  TemporaryFolder folder;
  Running running;
  std::map<std::string, std::string> said;
};

Ran ask_for_text(const Words& options) {
  Words words{culprit_path(), "heap"};
  words.insert(words.end(), options.begin(), options.end());
  return run(words);
}

Json ask(const Words& options) {
  Words words{"--json"};
  words.insert(words.end(), options.begin(), options.end());
  Ran ran = ask_for_text(words);
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  return Json::parse(ran.out, nullptr, false);
}

// In the terms of mallinfo(3).
std::map<std::string, uint64_t> totals(const Json& answer) {
  std::map<std::string, uint64_t> sum{{"hblks", answer["own_blocks"]["count"]},
                                      {"hblkhd", answer["own_blocks"]["bytes"]}};
  for (const Json& arena : answer["arenas"]) {
    sum["arena"] += arena["committed"].get<uint64_t>();
    sum["ordblks"] += arena["free"]["count"].get<uint64_t>() + 1;  // and the top
    sum["smblks"] += arena["fast"]["count"].get<uint64_t>();
    sum["fsmblks"] += arena["fast"]["bytes"].get<uint64_t>();
    sum["fordblks"] +=
        arena["free"]["bytes"].get<uint64_t>() + arena["fast"]["bytes"].get<uint64_t>() + arena["top"].get<uint64_t>();
  }
  sum["uordblks"] = sum["arena"] - sum["fordblks"];
  sum["keepcost"] = answer["arenas"][0]["top"].get<uint64_t>();
  return sum;
}

class Totals : public ::testing::TestWithParam<std::tuple<const char*, const char*>> {};
TEST_P(Totals, AreThoseOfMallinfo) {
  auto [name_of_program, mode] = GetParam();
  Made made(name_of_program, mode);
  const Json answer = ask({made.pid()});
  EXPECT_TRUE(answer["exact"].get<bool>()) << answer["notes"].dump() << answer["damage"].dump();
  for (const auto& [name, value] : totals(answer)) EXPECT_EQ(value, made.number(name)) << name;
}
INSTANTIATE_TEST_SUITE_P(Heap, Totals,
                         ::testing::Combine(::testing::Values("heap_victim", "heap_victim_static"),
                                            ::testing::Values("one-arena", "4-arenas", "16-arenas", "several-pieces",
                                                              "huge", "counted", "foreign-sbrk", "out-of-memory")));

std::string core_of(const Made& made) {
  const std::string core = made.folder / "core";
  Ran gdb = run({tool("gdb"), "-nx", "-batch", "-p", made.pid(), "-ex", "gcore " + core});
  EXPECT_EQ(gdb.ending(), "exit 0") << gdb.err;
  return core;
}

class HeapOfACore : public ::testing::TestWithParam<const char*> {};
TEST_P(HeapOfACore, IsThatOfTheProcess) {
  if (tool("gdb").empty()) GTEST_SKIP() << "gdb, which has gcore, is not here";
  Made made("heap_victim", GetParam());
  const std::string core = core_of(made);
  Json live = ask({made.pid(), "--by", "size"}), dead = ask({core, "--by", "size"});
  EXPECT_EQ(live["arenas"], dead["arenas"]);
  EXPECT_EQ(live["groups"], dead["groups"]);
  EXPECT_EQ(live["own_blocks"], dead["own_blocks"]);
}
INSTANTIATE_TEST_SUITE_P(Heap, HeapOfACore, ::testing::Values("4-arenas", "counted"));

const Json& group_of_size(const Json& answer, uint64_t size) {
  static const Json none;
  for (const Json& group : answer["groups"])
    if (group["size"] == size) return group;
  return none;
}

TEST(HeapBySize, CountsWhatTheProgramMade) {
  Made made("heap_victim", "counted");
  const Json answer = ask({made.pid(), "--by", "size"});
  const uint64_t usable = made.number("usable_42076");
  EXPECT_EQ(group_of_size(answer, usable)["count"], 1235);
  EXPECT_EQ(group_of_size(answer, usable)["bytes"], 1235 * usable);
  EXPECT_EQ(group_of_size(answer, 5000)["count"], 777);
  EXPECT_EQ(group_of_size(answer, 9000)["count"], 25);
  EXPECT_EQ(answer["groups"][0]["size"], usable) << "most bytes first";
}

TEST(HeapBySize, ChoosesOneSizeAsItWasAskedFor) {
  Made made("heap_victim", "counted");
  const Json answer = ask({made.pid(), "--size", "0xa45c"});
  EXPECT_EQ(answer["blocks"].size(), 1235u);
  EXPECT_EQ(answer["matched"]["count"], 1235);
  EXPECT_EQ(ask({made.pid(), "--range", "5000-9000", "--by", "size", "--count"})["groups"][0]["count"], 777);
  EXPECT_THAT(ask_for_text({made.pid(), "--size", "0xa45c"}).out, HasSubstr("and 1,195 blocks more, with --all"));
}

TEST(HeapBlock, IsToldWithItsNeighbours) {
  Made made("heap_victim", "counted");
  const Json block = ask({made.pid(), "--block", made.said["block"]})["block"];
  EXPECT_EQ(block["block"]["address"], made.number("block"));
  EXPECT_EQ(block["block"]["size"], made.number("usable"));
  EXPECT_EQ(block["block"]["state"], "in_use");
  EXPECT_EQ(block["offset"], 0);
  EXPECT_EQ(block["after"]["address"], made.number("behind"));
  EXPECT_THAT(ask_for_text({made.pid(), "--block", "0x10"}).out,
              HasSubstr("0x10 is not in the heap: nothing is mapped there"));
}

TEST(HeapBlock, IsPointedToByRegisters) {
  const std::pair<const char*, const char*> modes[] = {{"only-in-register", "r12"},
                                                       {"only-in-vector-register", "a vector register"}};
  for (const auto& [mode, name] : modes) {
    Made made("leak_victim", mode);
    const Json blocks = ask({made.pid(), "--size", "7777"})["blocks"];
    ASSERT_EQ(blocks.size(), 1u) << mode;
    const std::string address = std::to_string(blocks[0]["address"].get<uint64_t>());
    const Json pointers = ask({made.pid(), "--block", address})["block"]["pointers"];
    // Behind what lies in memory: malloc's own, and what is left of calls that have returned.
    ASSERT_FALSE(pointers.empty()) << mode;
    EXPECT_TRUE(pointers.back()["at"].is_null()) << pointers.dump(1);
    EXPECT_EQ(pointers.back()["where"], std::string(name) + " of thread " + made.pid());
  }
}

TEST(HeapBlock, OfALargeAlignmentIsFoundInItsMapping) {
  Made made("heap_victim", "huge");
  const Json block = ask({made.pid(), "--block", made.said["aligned"]})["block"];
  EXPECT_EQ(block["block"]["address"], made.number("aligned"));
  EXPECT_TRUE(block["block"]["own_mapping"].get<bool>());
}

TEST(DamagedHeap, IsToldWithTheBlockThatWasWrittenBeyondItsEnd) {
  Made made("heap_victim", "overrun");
  const Json answer = ask({made.pid()});
  ASSERT_EQ(answer["damage"].size(), 1u);
  const Json& damage = answer["damage"][0];
  EXPECT_THAT(damage["what"].get<std::string>(), HasSubstr("the text \"AAAAAAAA\""));
  EXPECT_EQ(damage["before"]["address"], made.number("overrun"));
  EXPECT_EQ(damage["chunk"], made.number("broken") - 16);
  EXPECT_FALSE(damage["under_change"].get<bool>());
  EXPECT_FALSE(answer["exact"].get<bool>());
}

TEST(DamagedHeap, TellsAFreeListThatLeadsInCircles) {
  Made made("heap_victim", "loop-in-cache");
  const Json answer = ask({made.pid()});
  ASSERT_EQ(answer["damage"].size(), 1u);
  EXPECT_THAT(answer["damage"][0]["what"].get<std::string>(), HasSubstr("twice in the lists of free blocks"));
}

TEST(DamagedHeap, TellsThatTheRestOfTheMemoryWasOverwritten) {
  Made made("heap_victim", "broken-top");
  const Json answer = ask({made.pid()});
  ASSERT_EQ(answer["damage"].size(), 1u);
  EXPECT_EQ(answer["damage"][0]["before"]["address"], made.number("last"));
}

TEST(DamagedHeap, TellsWhereABinLeadsInCircles) {
  Made made("heap_victim", "loop-in-bin");
  const Json answer = ask({made.pid()});
  ASSERT_EQ(answer["damage"].size(), 1u) << answer["damage"].dump(1);
  const Json& damage = answer["damage"][0];
  EXPECT_EQ(damage["chunk"], made.number("looped") - 16);
  EXPECT_THAT(damage["what"].get<std::string>(), HasSubstr("leads on in its bin to " + made.said["leads_to"]));
  EXPECT_EQ(damage["before"]["address"], made.number("before"));
  EXPECT_EQ(damage["after"]["address"], made.number("after"));
  EXPECT_FALSE(damage["under_change"].get<bool>());
}

TEST(DamagedHeap, TellsAFastBinThatLeadsInCircles) {
  Made made("heap_victim", "loop-in-fast-bin");
  const Json answer = ask({made.pid()});
  ASSERT_EQ(answer["damage"].size(), 1u);
  EXPECT_EQ(answer["damage"][0]["chunk"], made.number("looped") - 16);
  EXPECT_THAT(answer["damage"][0]["what"].get<std::string>(), HasSubstr("twice in the lists of free blocks"));
}

TEST(DamagedHeap, TellsThatTheRestOfTheMemoryWasFreed) {
  Made made("heap_victim", "freed-top");
  const Json answer = ask({made.pid()});
  ASSERT_EQ(answer["damage"].size(), 1u);
  EXPECT_EQ(answer["damage"][0]["chunk"], made.number("last") - 16);
  EXPECT_FALSE(answer["exact"].get<bool>());
}

TEST(DamagedHeap, MissesABlockWithItsOwnMappingWhoseSizeIsNonsense) {
  Made made("heap_victim", "nonsense-mmapped");
  const Json answer = ask({made.pid()});
  EXPECT_EQ(answer["own_blocks"]["count"], 1);
  EXPECT_THAT(answer["notes"].dump(), HasSubstr("1 of 2 blocks with mappings of their own were not found"));
  EXPECT_EQ(ask({made.pid(), "--block", made.said["whole"]})["block"]["block"]["address"], made.number("whole"));
}

TEST(HeapOfABusyProcess, IsReadWhileItAllocates) {
  TemporaryFolder folder;
  Running busy({program("heap_busy"), folder / "ready"});
  ASSERT_TRUE(wait_for_file(folder / "ready"));
  for (int i = 0; i < 20; ++i) {
    const Json answer = ask({std::to_string(busy.pid())});
    for (const Json& damage : answer["damage"]) EXPECT_TRUE(damage["under_change"].get<bool>()) << damage.dump(1);
  }
  const Json moving = ask({std::to_string(busy.pid()), "--no-stop"});
  EXPECT_FALSE(moving["exact"].get<bool>());
  EXPECT_EQ(moving["stopped_for"], 0);
  for (const Json& damage : moving["damage"]) EXPECT_TRUE(damage["under_change"].get<bool>()) << damage.dump(1);
}

std::pair<uint64_t, uint64_t> leaked(const Json& answer) {
  return {answer["direct"]["count"], answer["indirect"]["count"]};
}

class Leaks : public ::testing::TestWithParam<std::tuple<const char*, uint64_t, uint64_t>> {};
TEST_P(Leaks, AreFoundEachAndNothingElse) {
  auto [mode, direct, indirect] = GetParam();
  Made made("leak_victim", mode);
  const Json answer = ask({made.pid(), "--unreachable"});
  EXPECT_EQ(leaked(answer), std::pair(direct, indirect)) << answer["groups"].dump(1);
}
INSTANTIATE_TEST_SUITE_P(Heap, Leaks,
                         ::testing::Values(std::tuple("direct", 10, 0), std::tuple("indirect", 1, 1),
                                           std::tuple("ring", 1, 1), std::tuple("objects", 502, 0),
                                           std::tuple("lost-list", 1, 40), std::tuple("dead-stack", 1, 0),
                                           std::tuple("freed-pointer", 1, 0)));

class NoLeak : public ::testing::TestWithParam<const char*> {};
TEST_P(NoLeak, IsFoundWhereSomethingPointsToTheBlock) {
  Made made("leak_victim", GetParam());
  const Json answer = ask({made.pid(), "--unreachable", "--fail-on-leak"});
  EXPECT_EQ(leaked(answer), std::pair(uint64_t{0}, uint64_t{0})) << answer["groups"].dump(1);
}
INSTANTIATE_TEST_SUITE_P(Heap, NoLeak,
                         ::testing::Values("only-in-register", "only-in-vector-register", "in-variable",
                                           "in-thread-variable", "interior", "tagged", "array-with-count", "in-list",
                                           "in-mapping", "behind-large-block", "in-other-thread", "containers",
                                           "in-protected-memory", "in-protected-variable"));

class NoLeakInACore : public ::testing::TestWithParam<const char*> {};
TEST_P(NoLeakInACore, IsFoundWhereSomethingPointsToTheBlock) {
  if (tool("gdb").empty()) GTEST_SKIP() << "gdb, which has gcore, is not here";
  Made made("leak_victim", GetParam());
  const Json answer = ask({core_of(made), "--unreachable"});
  EXPECT_EQ(leaked(answer), std::pair(uint64_t{0}, uint64_t{0})) << answer["groups"].dump(1);
  EXPECT_GT(answer["reachable"]["count"], 0);
}
INSTANTIATE_TEST_SUITE_P(Heap, NoLeakInACore,
                         ::testing::Values("only-in-register", "only-in-vector-register", "in-thread-variable",
                                           "in-protected-memory", "in-protected-variable"));

TEST(StaticProgram, HasNoLeakWhereItsLibraryKeepsBlocksInProtectedVariables) {
  Made made("leak_victim_static", "in-variable");
  const Json answer = ask({made.pid(), "--unreachable"});
  EXPECT_EQ(leaked(answer), std::pair(uint64_t{0}, uint64_t{0})) << answer["groups"].dump(1);
}

TEST(Leaks, AreGroupedByClass) {
  Made made("leak_victim", "objects");
  const Json answer = ask({made.pid(), "--unreachable"});
  std::map<std::string, uint64_t> types;
  for (const Json& group : answer["groups"])
    if (group.contains("type")) types[group["type"]] = group["count"];
  EXPECT_EQ(types["Order"], 500u);
  EXPECT_EQ(types["Order[]"], 1u);
  EXPECT_EQ(run({culprit_path(), "heap", made.pid(), "--unreachable", "--fail-on-leak"}).ending(), "exit 1");
  EXPECT_THAT(ask_for_text({made.pid(), "--unreachable"}).out, HasSubstr("Order "));
}

TEST(Leaks, TellWhoUsedToPointThere) {
  Made made("leak_victim", "freed-pointer");
  const Json answer = ask({made.pid(), "--unreachable"});
  ASSERT_EQ(answer["groups"].size(), 1u);
  EXPECT_TRUE(answer["groups"][0]["stale_pointer"]["freed_block"].is_number());
}

TEST(HeapByType, CountsObjectsOfStrippedPrograms) {
  if (tool("strip").empty()) GTEST_SKIP() << "strip is not here";
  TemporaryFolder folder;
  ASSERT_EQ(run({tool("strip"), "-o", folder / "stripped", program("leak_victim")}).ending(), "exit 0");
  Running running({folder / "stripped", "objects", folder / "said"});
  ASSERT_TRUE(wait_for_file(folder / "said"));
  const Json answer = ask({std::to_string(running.pid()), "--by", "type"});
  EXPECT_EQ(answer["groups"][0]["type"], "Order");
  EXPECT_EQ(answer["groups"][0]["count"], 500);
}

TEST(HeapQuestions, ThatMakeNoSenseAreRefusedInOneSentence) {
  const std::pair<Words, const char*> refused[] = {{{"--by", "colour"}, "--by size or --by type"},
                                                   {{"--by", "size", "--list"}, "different questions"},
                                                   {{"--size", "12x"}, "--size takes a number"},
                                                   {{"--range", "9-3"}, "--range takes two sizes"},
                                                   {{"--unreachable", "--size", "3"}, "--size chooses blocks"},
                                                   {{"--fail-on-leak"}, "goes with --unreachable"},
                                                   {{"--block", "somewhere"}, "--block takes a number"}};
  for (const auto& [options, sentence] : refused) {
    Words words{std::to_string(getpid())};
    words.insert(words.end(), options.begin(), options.end());
    Ran ran = ask_for_text(words);
    EXPECT_EQ(ran.ending(), "exit 2") << sentence;
    EXPECT_THAT(ran.err, HasSubstr(sentence));
  }
}

TEST(HeapAtTheConsole, UnderstandsTheWordsOfWinDbg) {
  Made made("heap_victim", "counted");
  auto console = [&](const std::string& words) { return run({culprit_path(), "shell", made.pid(), "-c", words}).out; };
  EXPECT_THAT(console("!heap -s"), HasSubstr("in use in 2,0"));  // and those of the program's own start
  EXPECT_THAT(console("!heap -stat -h 0"), HasSubstr("(0xa468)"));
  EXPECT_THAT(console("!heap -flt s a45c"), HasSubstr("in 1,235 blocks"));
  EXPECT_THAT(console("!heap -x " + made.said["block"]), HasSubstr("the beginning of a block"));
  EXPECT_THAT(console("!heap -p -a " + made.said["block"]), HasSubstr("344 bytes, in use"));
  EXPECT_THAT(console("!heap -l"), HasSubstr("to which nothing points"));
}

}  // namespace
}  // namespace culprit::test
