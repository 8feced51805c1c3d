// What nothing pointed to any more as a program ended: `culprit run --heap --fail-on-leak`, beside LeakSanitizer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "support/heap_program.h"
#include "support/run_culprit.h"

namespace culprit::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// `before`: words of the command in front of the program.
Words under_heap(const Words& options, const Words& ways, const Words& before = {}) {
  Words words = {culprit_path(), "run", "--heap"};
  words.insert(words.end(), options.begin(), options.end());
  words.push_back("--");
  words.insert(words.end(), before.begin(), before.end());
  words.push_back(program("leaks_at_exit"));
  words.insert(words.end(), ways.begin(), ways.end());
  return words;
}

struct Looked {
  Ran ran;
  Json report;

  Leaked leaked() const {
    const Json& found = report.at("totals").at("unreachable");
    return {found.at("count"), found.at("bytes")};
  }
  Leaked under(std::string_view function) const {
    Leaked sum;
    for (const Json& group : report.at("groups")) {
      if (!on_stack(group.at("stack"), "(anonymous namespace)::" + std::string(function))) continue;
      sum.count += group.at("unreachable").at("count").get<uint64_t>();
      sum.bytes += group.at("unreachable").at("bytes").get<uint64_t>();
    }
    return sum;
  }
};

Looked look(const Words& ways, const Words& options = {"--fail-on-leak"}, const Words& before = {}) {
  TemporaryFolder folder;
  Words all = {"--json", "--report", folder / "report"};
  all.insert(all.end(), options.begin(), options.end());
  Looked looked;
  looked.ran = run(under_heap(all, ways, before));
  looked.report = Json::parse(contents(folder / "report"), nullptr, false);
  return looked;
}

TEST(LeaksAtExit, FindsEveryKindOfLeakAndNamesItsStack) {
  Looked looked = look({"direct", "list", "ring", "overwritten", "container", "thread"});
  ASSERT_EQ(looked.ran.ending(), "exit 1") << looked.ran.err;
  EXPECT_EQ(looked.under("lose_direct"), (Leaked{10, 1000}));
  EXPECT_EQ(looked.under("lose_list"), (Leaked{20, 20 * 64}));
  EXPECT_EQ(looked.under("lose_ring"), (Leaked{5, 5 * 64}));
  EXPECT_EQ(looked.under("lose_overwritten"), (Leaked{5, 1500}));
  EXPECT_EQ(looked.under("lose_container"), (Leaked{15, 24 + 7 * 48 + 7 * 201}));
  EXPECT_EQ(looked.under("thread_body"), (Leaked{1, 700}));
  EXPECT_EQ(looked.leaked().count, 56u);
  uint64_t indirect = 0;
  for (const Json& group : looked.report.at("groups")) indirect += group.at("indirect").get<uint64_t>();
  EXPECT_EQ(indirect, 19u + 4 + 14);
  EXPECT_EQ(looked.report.at("groups").at(0).at("verdict"), "unreachable");
}

TEST(LeaksAtExit, BlamesWhoLostTheOwnerOfWhatIsLost) {
  Looked looked = look({"container"});
  const Json& worst = looked.report.at("groups").at(0);
  EXPECT_EQ(worst.at("bytes"), 24) << "the list itself, though its nodes and their texts are more";
  EXPECT_EQ(worst.at("behind"), (Json{{"count", 14}, {"bytes", 7 * 48 + 7 * 201}}));
  EXPECT_THAT(worst.at("evidence").get<std::string>(), HasSubstr("behind them 1.7 kB in 14 more blocks"));
}

TEST(LeaksAtExit, FindsNothingInWhatIsStillPointedTo) {
  for (const char* way : {"kept", "static_kept", "tls", "interior", "deep_exit", "other_thread"}) {
    Looked looked = look({way});
    EXPECT_EQ(looked.ran.ending(), "exit 0") << way << ": " << looked.ran.err;
    EXPECT_EQ(looked.leaked(), (Leaked{0, 0})) << way;
    const bool is_released = std::string_view(way) == "static_kept";
    EXPECT_GE(looked.report.at("totals").at("outstanding").at("count"), is_released ? 0 : 1) << way;
  }
}

TEST(LeaksAtExit, SaysWhatLeakSanitizerSays) {
  for (const char* way : {"direct", "list", "ring", "overwritten", "container", "thread", "kept", "static_kept", "tls",
                          "interior", "deep_exit", "other_thread"}) {
    auto theirs = verdict_of_leak_sanitizer({program("leaks_at_exit_sanitized"), way}, 23);
    if (!theirs) GTEST_SKIP() << "LeakSanitizer does not work here";
    EXPECT_EQ(look({way}).leaked(), *theirs) << way;
  }
}

// Of none found there nothing follows: their addresses may not be those of libc's blocks.
TEST(LeaksAtExit, AreNotDeniedWhereAnotherMallocStandsInFront) {
  auto behind = [](const char* library, const char* way) {
    return look({way}, {"--fail-on-leak"}, {"/usr/bin/env", "LD_PRELOAD=" + program(library)});
  };
  for (const char* way : {"direct", "kept"}) {
    Looked looked = behind("libmalloc_with_headers.so", way);
    EXPECT_EQ(looked.ran.ending(), "exit 2") << way;
    EXPECT_TRUE(looked.report.at("totals").at("unreachable").is_null());
    EXPECT_THAT(looked.report.at("processes").at(0).at("not_looked_at").get<std::string>(),
                HasSubstr("malloc is not glibc's own there"));
  }
  Looked found = behind("libmalloc_in_front.so", "direct");
  EXPECT_EQ(found.ran.ending(), "exit 1") << "what is found is lost";
  EXPECT_EQ(found.under("lose_direct"), (Leaked{10, 1000}));
  EXPECT_THAT(found.report.at("processes").at(0).at("not_looked_at").get<std::string>(), HasSubstr("glibc's own"));
  EXPECT_EQ(behind("libmalloc_in_front.so", "kept").ran.ending(), "exit 2");
}

TEST(LeaksAtExit, AreKeptInTheRecording) {
  TemporaryFolder folder;
  const std::string recording = folder / "x.culprit";
  Ran told = run(under_heap({"-o", recording}, {"direct", "kept"}));
  EXPECT_EQ(told.ending(), "exit 0");
  EXPECT_THAT(told.err, HasSubstr("culprit: 1.0 kB in 10 blocks unreachable at exit"));
  EXPECT_THAT(told.err, HasSubstr("lose_direct"));
  Ran asked = run({culprit_path(), "heap", recording, "--fail-on-leak", "--json"});
  EXPECT_EQ(asked.ending(), "exit 1") << asked.err;
  EXPECT_EQ(Json::parse(asked.out).at("totals").at("unreachable").at("count"), 10);
}

TEST(LeaksAtExit, AreNotKnownOfAProgramThatDiedOfASignal) {
  Looked looked = look({"direct", "abort"});
  EXPECT_EQ(looked.ran.signal(), SIGABRT);
  EXPECT_EQ(looked.report.at("totals").at("unreachable"), nullptr);
  EXPECT_EQ(looked.report.at("processes").at(0).at("not_looked_at"), "it was killed by SIGABRT");
  EXPECT_THAT(run(under_heap({}, {"direct", "abort"})).err, HasSubstr("ended is not known: it was"));
}

// What the agent remembers of the sample leads to no block. That of 40 kB none is in it has a chance of 1 in 10^17.
TEST(LeaksAtExit, AreFoundInASample) {
  Looked looked = look(Words(40, "direct"), {"--fail-on-leak", "--sample", "1K"});
  EXPECT_EQ(looked.ran.ending(), "exit 1") << looked.ran.err;
  EXPECT_GT(looked.under("lose_direct").count, 0u);
}

TEST(LeaksAtExit, AreNoSuccessWhereTheyCannotBeKnown) {
  Looked looked = look({"direct", "raw"});  // ends by a system call that nobody sees
  EXPECT_EQ(looked.ran.ending(), "exit 2");
  EXPECT_THAT(looked.ran.err, HasSubstr("--outstanding"));
  EXPECT_EQ(look({"kept", "raw"}, {"--fail-on-leak", "--outstanding"}).ran.ending(), "exit 1");
}

}  // namespace
}  // namespace culprit::test
