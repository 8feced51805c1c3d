// `culprit heap` on programs that say what their heaps are, live and as cores.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <regex>

#include "support/heap_program.h"
#include "support/run_culprit.h"

namespace culprit::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

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

// As malloc_info(3) tells them, one after the other: sizes and counts, of which `rest` has the top.
std::vector<std::map<std::string, uint64_t>> arenas_of_malloc_info(const std::string& text) {
  std::vector<std::map<std::string, uint64_t>> arenas;
  static const std::regex heap("<heap nr=[^]*?</heap>"),
      total("<total type=\"(fast|rest)\" count=\"(\\d+)\" size=\"(\\d+)\"/>"),
      system("<system type=\"current\" size=\"(\\d+)\"/>");
  for (std::sregex_iterator each(text.begin(), text.end(), heap), end; each != end; ++each) {
    const std::string part = each->str();
    auto& arena = arenas.emplace_back();
    for (std::sregex_iterator found(part.begin(), part.end(), total); found != end; ++found) {
      arena[(*found)[1].str() + "_count"] = std::stoull((*found)[2]);
      arena[(*found)[1].str() + "_size"] = std::stoull((*found)[3]);
    }
    if (std::smatch match; std::regex_search(part, match, system)) arena["committed"] = std::stoull(match[1]);
  }
  return arenas;
}

class Totals : public ::testing::TestWithParam<std::tuple<const char*, const char*>> {};
TEST_P(Totals, AreThoseOfMallinfo) {
  auto [name_of_program, mode] = GetParam();
  HeapProgram made(name_of_program, mode);
  const Json answer = ask_heap({made.pid()});
  EXPECT_TRUE(answer["exact"].get<bool>()) << answer["notes"].dump() << answer["damage"].dump();
  for (const auto& [name, value] : totals(answer)) EXPECT_EQ(value, made.number(name)) << name;
}
TEST_P(Totals, AreThoseOfMallocInfoForEachArena) {
  auto [name_of_program, mode] = GetParam();
  HeapProgram made(name_of_program, mode);
  const Json answer = ask_heap({made.pid()});
  const auto said = arenas_of_malloc_info(contents(made.folder / "said.arenas"));
  ASSERT_EQ(answer["arenas"].size(), said.size());
  for (size_t i = 0; i < said.size(); ++i) {
    const Json& arena = answer["arenas"][i];
    auto theirs = said[i];
    const uint64_t free_blocks = arena["free"]["count"], top = arena["top"],
                   rest = arena["free"]["bytes"].get<uint64_t>() + top;
    // malloc_info() adds up sizes as they stand in the headers of free blocks, with the flag in their lowest bit.
    if (theirs["rest_size"] == rest + free_blocks) theirs["rest_size"] = rest;
    const std::map<std::string, uint64_t> found = {{"committed", arena["committed"]},
                                                   {"fast_count", arena["fast"]["count"]},
                                                   {"fast_size", arena["fast"]["bytes"]},
                                                   {"rest_count", free_blocks + 1},
                                                   {"rest_size", rest}};
    EXPECT_EQ(found, theirs) << "arena " << i;
  }
}
INSTANTIATE_TEST_SUITE_P(Heap, Totals,
                         ::testing::Combine(::testing::Values("heap_victim", "heap_victim_static"),
                                            ::testing::Values("one-arena", "4-arenas", "16-arenas", "several-pieces",
                                                              "huge", "counted", "foreign-sbrk", "out-of-memory")));

class HeapOfACore : public ::testing::TestWithParam<const char*> {};
TEST_P(HeapOfACore, IsThatOfTheProcess) {
  if (tool("gdb").empty()) GTEST_SKIP() << "gdb, which has gcore, is not here";
  HeapProgram made("heap_victim", GetParam());
  const std::string core = core_of_process(made.pid(), made.folder);
  Json live = ask_heap({made.pid(), "--by", "size"}), dead = ask_heap({core, "--by", "size"});
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
  HeapProgram made("heap_victim", "counted");
  const Json answer = ask_heap({made.pid(), "--by", "size"});
  const uint64_t usable = made.number("usable_42076");
  EXPECT_EQ(group_of_size(answer, usable)["count"], 1235);
  EXPECT_EQ(group_of_size(answer, usable)["bytes"], 1235 * usable);
  EXPECT_EQ(group_of_size(answer, 5000)["count"], 777);
  EXPECT_EQ(group_of_size(answer, 9000)["count"], 25);
  EXPECT_EQ(answer["groups"][0]["size"], usable) << "most bytes first";
}

TEST(HeapBySize, ChoosesOneSizeAsItWasAskedFor) {
  HeapProgram made("heap_victim", "counted");
  const Json answer = ask_heap({made.pid(), "--size", "0xa45c"});
  EXPECT_EQ(answer["blocks"].size(), 1235u);
  EXPECT_EQ(answer["matched"]["count"], 1235);
  EXPECT_EQ(ask_heap({made.pid(), "--range", "5000-9000", "--by", "size", "--count"})["groups"][0]["count"], 777);
  EXPECT_THAT(ask_heap_for_text({made.pid(), "--size", "0xa45c"}).out, HasSubstr("and 1,195 blocks more, with --all"));
}

TEST(HeapBlock, IsToldWithItsNeighbours) {
  HeapProgram made("heap_victim", "counted");
  const Json block = ask_heap({made.pid(), "--block", made.said["block"]})["block"];
  EXPECT_EQ(block["block"]["address"], made.number("block"));
  EXPECT_EQ(block["block"]["size"], made.number("usable"));
  EXPECT_EQ(block["block"]["state"], "in_use");
  EXPECT_EQ(block["offset"], 0);
  EXPECT_EQ(block["after"]["address"], made.number("behind"));
  EXPECT_THAT(ask_heap_for_text({made.pid(), "--block", "0x10"}).out,
              HasSubstr("0x10 is not in the heap: nothing is mapped there"));
}

TEST(HeapBlock, IsNoneWhereMallocHasGivenOutNothingYet) {
  HeapProgram made("heap_victim", "counted");
  const std::string address = std::to_string(made.number("last") + made.number("usable_42076") + 100);
  const Json block = ask_heap({made.pid(), "--block", address})["block"];
  EXPECT_TRUE(block["block"].is_null()) << block.dump(1);
  EXPECT_THAT(block["where"].get<std::string>(), HasSubstr("which malloc has not given out"));
  EXPECT_EQ(block["before"]["address"], made.number("last"));
  EXPECT_THAT(ask_heap_for_text({made.pid(), "--block", address}).out, HasSubstr("which malloc has not given out"));
}

// The arena knows where the rest of its memory begins; so does no program.
TEST(HeapBlock, IsNotPointedToByMallocItself) {
  HeapProgram made("heap_victim", "counted");
  const Json block = ask_heap({made.pid(), "--block", made.said["last"]})["block"];
  EXPECT_EQ(block["block"]["address"], made.number("last"));
  for (const Json& pointer : block["pointers"]) EXPECT_NE(pointer["offset"], made.number("usable_42076") - 8);
}

TEST(HeapBlock, IsPointedToByRegisters) {
  const std::pair<const char*, const char*> modes[] = {{"only-in-register", "r12"},
                                                       {"only-in-vector-register", "a vector register"}};
  for (const auto& [mode, name] : modes) {
    HeapProgram made("leak_victim", mode);
    const Json blocks = ask_heap({made.pid(), "--size", "7777"})["blocks"];
    ASSERT_EQ(blocks.size(), 1u) << mode;
    const std::string address = std::to_string(blocks[0]["address"].get<uint64_t>());
    const Json pointers = ask_heap({made.pid(), "--block", address})["block"]["pointers"];
    // Behind what lies in memory: what is left of calls that have returned.
    ASSERT_FALSE(pointers.empty()) << mode;
    EXPECT_TRUE(pointers.back()["at"].is_null()) << pointers.dump(1);
    EXPECT_EQ(pointers.back()["where"], std::string(name) + " of thread " + made.pid());
  }
}

TEST(HeapBlock, OfALargeAlignmentIsFoundInItsMapping) {
  HeapProgram made("heap_victim", "huge");
  const Json block = ask_heap({made.pid(), "--block", made.said["aligned"]})["block"];
  EXPECT_EQ(block["block"]["address"], made.number("aligned"));
  EXPECT_TRUE(block["block"]["own_mapping"].get<bool>());
}

TEST(DamagedHeap, IsToldWithTheBlockThatWasWrittenBeyondItsEnd) {
  HeapProgram made("heap_victim", "overrun");
  const Json answer = ask_heap({made.pid()});
  ASSERT_EQ(answer["damage"].size(), 1u);
  const Json& damage = answer["damage"][0];
  EXPECT_THAT(damage["what"].get<std::string>(), HasSubstr("the text \"AAAAAAAA\""));
  EXPECT_EQ(damage["before"]["address"], made.number("overrun"));
  EXPECT_EQ(damage["chunk"], made.number("broken") - 16);
  EXPECT_FALSE(damage["under_change"].get<bool>());
  EXPECT_FALSE(answer["exact"].get<bool>());
}

TEST(DamagedHeap, TellsAFreeListThatLeadsInCircles) {
  HeapProgram made("heap_victim", "loop-in-cache");
  const Json answer = ask_heap({made.pid()});
  ASSERT_EQ(answer["damage"].size(), 1u);
  EXPECT_THAT(answer["damage"][0]["what"].get<std::string>(), HasSubstr("twice in the lists of free blocks"));
}

TEST(DamagedHeap, TellsThatTheRestOfTheMemoryWasOverwritten) {
  HeapProgram made("heap_victim", "broken-top");
  const Json answer = ask_heap({made.pid()});
  ASSERT_EQ(answer["damage"].size(), 1u);
  EXPECT_EQ(answer["damage"][0]["before"]["address"], made.number("last"));
}

TEST(DamagedHeap, TellsWhereABinLeadsInCircles) {
  HeapProgram made("heap_victim", "loop-in-bin");
  const Json answer = ask_heap({made.pid()});
  ASSERT_EQ(answer["damage"].size(), 1u) << answer["damage"].dump(1);
  const Json& damage = answer["damage"][0];
  EXPECT_EQ(damage["chunk"], made.number("looped") - 16);
  EXPECT_THAT(damage["what"].get<std::string>(), HasSubstr("leads on in its bin to " + made.said["leads_to"]));
  EXPECT_EQ(damage["before"]["address"], made.number("before"));
  EXPECT_EQ(damage["after"]["address"], made.number("after"));
  EXPECT_FALSE(damage["under_change"].get<bool>());
}

TEST(DamagedHeap, TellsAFastBinThatLeadsInCircles) {
  HeapProgram made("heap_victim", "loop-in-fast-bin");
  const Json answer = ask_heap({made.pid()});
  ASSERT_EQ(answer["damage"].size(), 1u);
  EXPECT_EQ(answer["damage"][0]["chunk"], made.number("looped") - 16);
  EXPECT_THAT(answer["damage"][0]["what"].get<std::string>(), HasSubstr("twice in the lists of free blocks"));
}

TEST(DamagedHeap, TellsThatTheRestOfTheMemoryWasFreed) {
  HeapProgram made("heap_victim", "freed-top");
  const Json answer = ask_heap({made.pid()});
  ASSERT_EQ(answer["damage"].size(), 1u);
  EXPECT_EQ(answer["damage"][0]["chunk"], made.number("last") - 16);
  EXPECT_FALSE(answer["exact"].get<bool>());
}

TEST(DamagedHeap, TellsTheBlockWithItsOwnMappingWhoseSizeIsNonsense) {
  HeapProgram made("heap_victim", "nonsense-mmapped");
  const Json answer = ask_heap({made.pid()});
  EXPECT_EQ(answer["own_blocks"]["count"], 1);
  EXPECT_THAT(answer["notes"].dump(), HasSubstr("1 of 2 blocks with mappings of their own are not counted"));
  ASSERT_EQ(answer["damage"].size(), 1u);
  EXPECT_EQ(answer["damage"][0]["chunk"], made.number("broken") - 16);
  EXPECT_THAT(answer["damage"][0]["what"].get<std::string>(), HasSubstr("0x4141414141414142"));
  EXPECT_EQ(ask_heap({made.pid(), "--block", made.said["whole"]})["block"]["block"]["address"], made.number("whole"));
}

TEST(DamagedHeap, TellsFreeBlocksThatNoBinLeadsTo) {
  HeapProgram made("heap_victim", "ring-beside-bin");
  const Json answer = ask_heap({made.pid()});
  ASSERT_EQ(answer["damage"].size(), 1u) << answer["damage"].dump(1);
  const Json& damage = answer["damage"][0];
  EXPECT_EQ(damage["chunk"], made.number("detached") - 16);
  EXPECT_THAT(damage["what"].get<std::string>(), HasSubstr("is in no bin, and so are 1 more of its arena"));
  EXPECT_EQ(damage["before"]["address"], made.number("before"));
  EXPECT_EQ(damage["after"]["address"], made.number("after"));
}

// A bound that no heap of this size keeps. As the process does nothing, what is read later is as it was before.
class BoundedStop : public ::testing::Test {
 protected:
  BoundedStop() : made_("heap_victim", "several-pieces") {}
  Json ask(Words options) {
    Words words{made_.pid()};
    words.insert(words.end(), options.begin(), options.end());
    words.insert(words.end(), {"--stop-at-most", "1us"});
    Json answer = ask_heap(words);
    EXPECT_FALSE(answer["exact"].get<bool>());
    EXPECT_GT(answer["stopped_for"].get<double>(), 0);
    EXPECT_THAT(answer["notes"].dump(), HasSubstr("(--stop-at-most): the rest was read while it ran"));
    EXPECT_TRUE(answer["damage"].empty()) << answer["damage"].dump(1);
    return answer;
  }

  HeapProgram made_;
};
TEST_F(BoundedStop, LeavesNothingOutOfTheSummary) {
  for (const auto& [name, value] : totals(ask({}))) EXPECT_EQ(value, made_.number(name)) << name;
}
TEST_F(BoundedStop, LeavesNoSizeOut) {
  EXPECT_EQ(ask({"--by", "size"})["groups"], ask_heap({made_.pid(), "--by", "size"})["groups"]);
}
TEST_F(BoundedStop, LeavesNoLeakOut) {
  const Json bounded = ask({"--unreachable"}), exact = ask_heap({made_.pid(), "--unreachable"});
  EXPECT_EQ(bounded["groups"], exact["groups"]);
  EXPECT_FALSE(bounded["of_one_moment"].get<bool>());
  EXPECT_TRUE(exact["of_one_moment"].get<bool>());
  EXPECT_THAT(ask_heap_for_text({made_.pid(), "--unreachable", "--stop-at-most", "1us"}).out,
              HasSubstr("perhaps leaked"));
}
TEST_F(BoundedStop, LeavesNoPointerToABlockOut) {
  const Json large = ask_heap({made_.pid(), "--size", "100000"})["blocks"][0];
  const std::string address = std::to_string(large["address"].get<uint64_t>());
  EXPECT_EQ(ask({"--block", address})["block"], ask_heap({made_.pid(), "--block", address})["block"]);
}
TEST_F(BoundedStop, IsNotReachedByAHeapThatIsReadInTime) {
  const Json answer = ask_heap({made_.pid(), "--stop-at-most", "1h"});
  EXPECT_TRUE(answer["exact"].get<bool>()) << answer["notes"].dump();
}

TEST(HeapOfABusyProcess, IsReadWhileItAllocates) {
  TemporaryFolder folder;
  Running busy({program("heap_busy"), folder / "ready"});
  ASSERT_TRUE(wait_for_file(folder / "ready"));
  for (int i = 0; i < 20; ++i) {
    const Json answer = ask_heap({std::to_string(busy.pid())});
    for (const Json& damage : answer["damage"]) EXPECT_TRUE(damage["under_change"].get<bool>()) << damage.dump(1);
  }
  for (const Words& unstopped : {Words{"--no-stop"}, {"--stop-at-most", "0"}, {"--stop-at-most", "0s"}}) {
    Words words{std::to_string(busy.pid())};
    words.insert(words.end(), unstopped.begin(), unstopped.end());
    const Json moving = ask_heap(words);
    EXPECT_FALSE(moving["exact"].get<bool>());
    EXPECT_EQ(moving["stopped_for"], 0);
    for (const Json& damage : moving["damage"]) EXPECT_TRUE(damage["under_change"].get<bool>()) << damage.dump(1);
  }
}

TEST(HeapByType, CountsObjectsOfStrippedPrograms) {
  if (tool("strip").empty()) GTEST_SKIP() << "strip is not here";
  TemporaryFolder folder;
  ASSERT_EQ(run({tool("strip"), "-o", folder / "stripped", program("leak_victim")}).ending(), "exit 0");
  Running running({folder / "stripped", "objects", folder / "said"});
  ASSERT_TRUE(wait_for_file(folder / "said"));
  const Json answer = ask_heap({std::to_string(running.pid()), "--by", "type"});
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
                                                   {{"--no-stop", "--stop-at-most", "1s"}, "contradict each other"},
                                                   {{"--stop-at-most", "soon"}, "a duration such as"},
                                                   {{"--block", "somewhere"}, "--block takes a number"}};
  for (const auto& [options, sentence] : refused) {
    Words words{std::to_string(getpid())};
    words.insert(words.end(), options.begin(), options.end());
    Ran ran = ask_heap_for_text(words);
    EXPECT_EQ(ran.ending(), "exit 2") << sentence;
    EXPECT_THAT(ran.err, HasSubstr(sentence));
  }
}

TEST(HeapAtTheConsole, UnderstandsTheWordsOfWinDbg) {
  HeapProgram made("heap_victim", "counted");
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
