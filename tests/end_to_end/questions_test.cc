// A real recording, asked every question there is about its handles.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>

#include "support/run_culprit.h"

namespace culprit::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class AskedOfARecording : public ::testing::Test {
 protected:
  // A shell, two rounds of a program that leaks 300 eventfds in fun4, and a pipeline.
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    const std::string leaky = program("leaky_handles");
    Ran ran =
        run(under_culprit({"-o", recording(), "--report", "/dev/null"},
                          {"/bin/sh", "-c", leaky + "; " + leaky + "; ls / | sort > /dev/null; exec 7< /etc/passwd"}));
    EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
    ran = run(under_culprit({"-o", smaller(), "--report", "/dev/null"}, {leaky}));
    EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  }
  static void TearDownTestSuite() { delete folder_; }
  static std::string recording() { return *folder_ / "x.culprit"; }
  static std::string smaller() { return *folder_ / "smaller.culprit"; }

  static std::string ask(Words words) {
    words.insert(words.begin(), culprit_path());
    Ran ran = run(words, {.environment = {"LANG=C.UTF-8", "LC_ALL=C.UTF-8"}});
    EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
    return ran.out;
  }
  static std::string handles(Words options) {
    options.insert(options.begin(), {"handles", recording()});
    return ask(options);
  }
  static Json json(Words options) {
    options.push_back("--json");
    Json answer = Json::parse(handles(options), nullptr, false);
    EXPECT_FALSE(answer.is_discarded());
    EXPECT_TRUE(answer.at("exact").get<bool>()) << answer.at("losses");
    EXPECT_EQ(answer.at("target"), recording());
    return answer;
  }
  static uint64_t outstanding(Words options) { return json(std::move(options)).at("totals").at("outstanding"); }

  static inline TemporaryFolder* folder_ = nullptr;
};

TEST_F(AskedOfARecording, GroupsAreTheSameHoweverTheyAreGrouped) {
  const Json report = json({"--all"});
  uint64_t leaked = 0;
  for (const Json& group : report.at("groups")) leaked += group.at("count").get<uint64_t>();
  EXPECT_GE(leaked, 600u);
  for (std::string by :
       {"default", "type,stack", "function", "module,thread", "how,name", "object", "program,closing_stack"}) {
    const Json answer = json({"--by", by, "--all"});
    uint64_t sum = 0;
    for (const Json& group : answer.at("groups")) sum += group.at("count").get<uint64_t>();
    EXPECT_EQ(sum, answer.at("totals").at("outstanding")) << by;
  }
  const Json functions = json({"--by", "function,owning"});
  EXPECT_EQ(functions.at("groups")[0].at("function"), "fun4()");
  EXPECT_EQ(functions.at("groups")[0].at("count"), 300);
  EXPECT_EQ(functions.at("groups")[1].at("function"), "fun4()");
  EXPECT_EQ(functions.at("groups")[0].at("owning").at("name"), "leaky_handles");
}

TEST_F(AskedOfARecording, TheTreeFitsEightyColumns) {
  const std::string tree = handles({"--by", "default"});
  EXPECT_THAT(tree, StartsWith("culprit: "));
  EXPECT_THAT(tree, HasSubstr("closing › owning › type › creating › stack\n"));
  EXPECT_THAT(tree, HasSubstr("hidden by exit"));
  EXPECT_THAT(tree, HasSubstr("fun4 (leaky_handles.cpp:"));
  std::istringstream lines(tree);
  for (std::string line; std::getline(lines, line);) {
    const auto columns = std::ranges::count_if(line, [](unsigned char c) { return (c & 0xc0) != 0x80; });
    EXPECT_LE(columns, 80) << line;
  }
}

TEST_F(AskedOfARecording, FiltersLeaveOutTheRest) {
  EXPECT_EQ(outstanding({"--type", "eventfd"}), 600u);
  EXPECT_EQ(outstanding({"--process", "leaky_handles", "--stack", "^fun4"}), 600u);
  EXPECT_EQ(outstanding({"--process", "leaky_handles", "--not-stack", "fun2"}), 0u);
  const uint64_t early = outstanding({"--type", "eventfd", "--to", "800ms"});
  EXPECT_GT(early, 0u);
  EXPECT_LT(early, 600u);
  EXPECT_EQ(outstanding({"--type", "eventfd", "--from", "800ms"}), 600u - early);
  EXPECT_LT(outstanding({"--type", "eventfd", "--min-age", "500ms"}), 600u);
  EXPECT_EQ(json({"--by", "type", "--type", "eventfd", "--all"}).at("groups")[0].at("created"), 1200);
  EXPECT_EQ(json({"--by", "default", "--depth", "2", "--type", "eventfd"}).at("groups").size(), 2u);
}

TEST_F(AskedOfARecording, OverTimeRisesTwiceAndEndsAtNothing) {
  const Json answer = json({"--over-time", "--by", "process", "--type", "eventfd"});
  EXPECT_EQ(answer.at("lines").size(), 2u);
  EXPECT_GE(answer.at("all").at("peak").get<uint64_t>(), 295u);
  EXPECT_LE(answer.at("all").at("peak").get<uint64_t>(), 301u);
  EXPECT_EQ(answer.at("all").at("open").back(), 0);
  EXPECT_THAT(handles({"--over-time", "--by", "type"}), HasSubstr("eventfd"));
  EXPECT_THAT(handles({"--over-time", "--csv"}), StartsWith("seconds,open,most,created,closed\n"));
  EXPECT_THAT(handles({"--by", "owning,function", "--csv"}), HasSubstr(",fun4(),300,"));
}

TEST_F(AskedOfARecording, ANumberHasItsHistory) {
  const Json answer = json({"--value", "100", "--process", "leaky_handles"});
  // fun3 makes it and closes it, fun4 makes it and forgets it; in both runs.
  ASSERT_EQ(answer.at("handles").size(), 4u);
  EXPECT_TRUE(on_stack(answer.at("handles")[0].at("stack"), "fun3"));
  EXPECT_TRUE(on_stack(answer.at("handles")[0].at("closing_stack"), "fun1"));
  EXPECT_TRUE(on_stack(answer.at("handles")[1].at("stack"), "fun4"));
  EXPECT_EQ(answer.at("handles")[1].at("how_closed"), "exit");
  EXPECT_THAT(handles({"--value", "0x64"}), HasSubstr("culprit: handle 100 was opened 4 times"));
}

TEST_F(AskedOfARecording, MomentsAndRecordingsAreCompared) {
  const Json moments = Json::parse(ask({"diff", smaller(), "--from", "300ms", "--to", "700ms", "--json"}));
  EXPECT_TRUE(moments.at("exact").get<bool>());
  const uint64_t opened = moments.at("opened").at("count");
  EXPECT_GT(opened, 0u);
  EXPECT_EQ(moments.at("between").at("created"), 2 * opened);
  EXPECT_EQ(moments.at("opened").at("groups").size(), 1u);
  EXPECT_TRUE(on_stack(moments.at("opened").at("groups")[0].at("stack"), "fun4"));

  const Json twice = Json::parse(ask({"diff", smaller(), recording(), "--type", "eventfd", "--json"}));
  ASSERT_EQ(twice.at("groups").size(), 1u);
  EXPECT_EQ(twice.at("groups")[0].at("change"), "grew");
  EXPECT_EQ(twice.at("groups")[0].at("growth"), 300);
  EXPECT_THAT(ask({"diff", smaller(), recording(), "--type", "eventfd"}),
              HasSubstr("+300  grew   eventfd    fun4 (leaky_handles.cpp:"));
  EXPECT_THAT(ask({"diff", smaller(), smaller()}), HasSubstr("as many handles outstanding as before"));
}

}  // namespace
}  // namespace culprit::test
