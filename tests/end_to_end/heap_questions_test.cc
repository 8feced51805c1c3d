// What a recording of memory can be asked: its blocks beside a walk of the heap, the story of an address, differences,
// what was in use when.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "support/run_culprit.h"

namespace culprit::test {
namespace {

using ::testing::HasSubstr;

Words under_heap(const Words& options, const Words& command) {
  Words words = {culprit_path(), "run", "--heap"};
  words.insert(words.end(), options.begin(), options.end());
  words.push_back("--");
  words.insert(words.end(), command.begin(), command.end());
  return words;
}

Json parsed(const std::string& text) { return Json::parse(text, nullptr, false); }

// As malloc gives them out: with room for a header, in steps of 16.
uint64_t usable_size(uint64_t asked) { return (asked + 8 + 15) / 16 * 16 - 8; }

struct Amount {
  uint64_t blocks = 0, bytes = 0;
};

// Of the victim's own sizes, which nobody else has; bytes as they can be used.
Amount amount_of_large(const Json& groups, uint64_t (*usable)(uint64_t)) {
  Amount amount;
  for (const Json& group : groups) {
    const uint64_t size = usable(group.at("size")), count = group.at("count");
    if (size < 3000 || size >= 3500) continue;
    amount.blocks += count;
    amount.bytes += size * count;
  }
  return amount;
}

TEST(HeapQuestions, HasOutstandingWhatAWalkOfTheHeapFinds) {
  TemporaryFolder folder;
  const std::string ready = folder / "ready", until = folder / "until", recording = folder / "x.culprit";
  ASSERT_EQ(mkfifo(until.c_str(), 0600), 0);
  Running running(under_heap({"--outstanding", "-o", recording},
                             {program("allocation_victim"), "held", "8", "20000", ready, until}));
  ASSERT_TRUE(wait_for_file(ready));
  const std::vector<pid_t> children = running.children();
  ASSERT_EQ(children.size(), 1u);
  Ran walked = run({culprit_path(), "heap", std::to_string(children.front()), "--by", "size", "--json"});
  write_file(until, "");
  ASSERT_EQ(running.wait().ending(), "exit 0");
  ASSERT_EQ(walked.ending(), "exit 0") << walked.err;

  Ran asked = run({culprit_path(), "heap", recording, "--by", "size", "--json"});
  ASSERT_EQ(asked.ending(), "exit 0") << asked.err;
  const auto found = amount_of_large(parsed(walked.out).at("groups"), [](uint64_t size) { return size; });
  const auto recorded = amount_of_large(parsed(asked.out).at("groups"), usable_size);
  EXPECT_EQ(found.blocks, 8 * 20'000u / 16);
  EXPECT_EQ(recorded.blocks, found.blocks);
  // A rest that would be too small for a block of its own is given along: 16 bytes.
  EXPECT_GE(found.bytes, recorded.bytes);
  EXPECT_LE(found.bytes, recorded.bytes + 16 * recorded.blocks);
}

// The group with that function.
const Json* group_under(const Json& groups, std::string_view function) {
  for (const Json& group : groups)
    if (on_stack(group.at("stack"), "(anonymous namespace)::" + std::string(function))) return &group;
  return nullptr;
}

TEST(HeapQuestions, TellsTheStoryOfAnAddress) {
  TemporaryFolder folder;
  const std::string recording = folder / "x.culprit";
  Ran ran = run(under_heap({"-o", recording}, {program("allocation_victim"), "address"}));
  ASSERT_EQ(ran.ending(), "exit 0") << ran.err;
  Ran asked = run({culprit_path(), "heap", recording, "--block", ran.out, "--json"});
  ASSERT_EQ(asked.ending(), "exit 0") << asked.err;
  const Json report = parsed(asked.out);
  ASSERT_EQ(report.at("blocks").size(), 2u);
  const Json &first = report.at("blocks").at(0), &last = report.at("blocks").at(1);
  EXPECT_TRUE(on_stack(first.at("stack"), "(anonymous namespace)::lives_first"));
  EXPECT_EQ(first.at("end"), "released");
  EXPECT_EQ(first.at("released_by"), "free");
  EXPECT_TRUE(on_stack(last.at("stack"), "(anonymous namespace)::lives_again"));
  EXPECT_EQ(last.at("size"), 1234);
  EXPECT_EQ(last.at("end"), "alive");
  Ran told = run({culprit_path(), "heap", recording, "--block", ran.out});
  EXPECT_THAT(told.out, HasSubstr("lies in 2 blocks over time"));
  EXPECT_THAT(told.out, HasSubstr("released by free"));
  Ran nothing = run({culprit_path(), "heap", recording, "--block", "0x10"});
  EXPECT_THAT(nothing.out, HasSubstr("no block was seen to lie at 0x10"));
  EXPECT_EQ(run({culprit_path(), "heap", recording, "--block", "0x10", "--peak"}).ending(), "exit 2");
}

TEST(HeapQuestions, ComparesTwoRecordingsByStack) {
  TemporaryFolder folder;
  const std::string few = folder / "few.culprit", many = folder / "many.culprit";
  ASSERT_EQ(run(under_heap({"-o", few}, {program("allocation_victim"), "threads", "1", "160"})).ending(), "exit 0");
  ASSERT_EQ(run(under_heap({"-o", many}, {program("allocation_victim"), "threads", "1", "480"})).ending(), "exit 0");
  Ran asked = run({culprit_path(), "diff", few, many, "--json"});
  ASSERT_EQ(asked.ending(), "exit 0") << asked.err;
  const Json diff = parsed(asked.out);
  const Json* churn = group_under(diff.at("groups"), "churn");
  ASSERT_NE(churn, nullptr);
  EXPECT_EQ(churn->at("change"), "grew");
  EXPECT_EQ(churn->at("before").at("count"), 10);
  EXPECT_EQ(churn->at("after").at("count"), 30);
  EXPECT_EQ(diff.at("changes").at("grew"), 1);
  EXPECT_THAT(run({culprit_path(), "diff", few, many}).out, HasSubstr("left than before; by stack: 0 new, 1 grew"));
  EXPECT_EQ(run({culprit_path(), "diff", few, many, "--handles"}).ending(), "exit 0");
}

TEST(HeapQuestions, ComparesTwoMomentsOfOneRecording) {
  TemporaryFolder folder;
  const std::string recording = folder / "x.culprit";
  ASSERT_EQ(run(under_heap({"-o", recording}, {program("allocation_victim"), "grows"})).ending(), "exit 0");
  Ran asked = run({culprit_path(), "diff", recording, "--from", "100ms", "--json"});
  ASSERT_EQ(asked.ending(), "exit 0") << asked.err;
  const Json diff = parsed(asked.out);
  const Json* leak = group_under(diff.at("groups"), "leak_steadily");
  ASSERT_NE(leak, nullptr);
  EXPECT_EQ(leak->at("after").at("count"), 200);
  EXPECT_LT(leak->at("before").at("count"), 200);
  EXPECT_EQ(run({culprit_path(), "diff", recording}).ending(), "exit 2");  // there is no mark
}

TEST(HeapQuestions, DrawsWhatWasInUseWhen) {
  TemporaryFolder folder;
  const std::string recording = folder / "x.culprit";
  ASSERT_EQ(run(under_heap({"-o", recording}, {program("allocation_victim"), "peak"})).ending(), "exit 0");
  Ran asked = run({culprit_path(), "heap", recording, "--over-time", "--json"});
  ASSERT_EQ(asked.ending(), "exit 0") << asked.err;
  const Json report = parsed(asked.out);
  EXPECT_EQ(report.at("totals").at("most_bytes_over_time").size(), 40u);
  const Json* large = group_under(report.at("groups"), "large_for_a_while");
  ASSERT_NE(large, nullptr);
  EXPECT_EQ(large, &report.at("groups").at(0));
  EXPECT_EQ(large->at("most"), (Json{{"count", 20}, {"bytes", 2'000'000}}));
  EXPECT_EQ(large->at("count"), 0);
  EXPECT_THAT(run({culprit_path(), "heap", recording, "--over-time"}).out, HasSubstr("each on its own scale"));
}

}  // namespace
}  // namespace culprit::test
