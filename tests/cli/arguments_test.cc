#include "cli/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace culprit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Invocation parsed(const std::vector<std::string>& words) {
  auto invocation = parse_invocation(words);
  EXPECT_TRUE(invocation) << invocation.error().what;
  return invocation ? *invocation : Invocation{};
}

std::string refused(const std::vector<std::string>& words) {
  auto invocation = parse_invocation(words);
  EXPECT_FALSE(invocation);
  if (invocation) return "";
  EXPECT_EQ(invocation.error().kind, ErrorKind::usage);
  EXPECT_EQ(invocation.error().what.find('\n'), std::string::npos) << "one sentence";
  return invocation.error().what;
}

TEST(Arguments, OfRunEndAtTheDashes) {
  auto arguments =
      parsed({"run", "-o", "x.culprit", "--json", "--top", "3", "--", "ls", "--json", "-l", "--", "x"}).arguments;
  EXPECT_EQ(arguments.text("--output"), "x.culprit");
  EXPECT_TRUE(arguments.has("--json"));
  EXPECT_EQ(arguments.count("--top", 10), 3u);
  EXPECT_THAT(arguments.operands, ElementsAre("ls", "--json", "-l", "--", "x"));
}

TEST(Arguments, OfRunNeedNoDashesBeforeAProgram) {
  auto arguments = parsed({"run", "--fail-on-leak", "--after=2min", "ls", "-l", "--all", "--help"}).arguments;
  EXPECT_EQ(arguments.nanoseconds("--after"), 120'000'000'000);
  EXPECT_FALSE(arguments.has("--all"));
  EXPECT_THAT(arguments.operands, ElementsAre("ls", "-l", "--all", "--help"));
}

TEST(Arguments, OfTheProgramAreLeftAsTheyAre) {
  auto arguments = parsed({"run", "--", "-", "", "--", "a b", "\x1b[31m\xff", "[1,2]", "%%", "x=y"}).arguments;
  EXPECT_THAT(arguments.operands, ElementsAre("-", "", "--", "a b", "\x1b[31m\xff", "[1,2]", "%%", "x=y"));
}

TEST(Arguments, TakeTheValueOfAnOptionWhateverItLooksLike) {
  EXPECT_EQ(parsed({"run", "--report", "--json", "--", "ls"}).arguments.text("--report"), "--json");
  EXPECT_EQ(parsed({"run", "--report=a=b", "--", "ls"}).arguments.text("--report"), "a=b");
  EXPECT_EQ(parsed({"run", "-ox.culprit", "ls"}).arguments.text("--output"), "x.culprit");
  EXPECT_EQ(parsed({"handles", "x.culprit", "--report", "[a,b]"}).arguments.text("--report"), "[a,b]");
}

TEST(Arguments, MayStandInAnyOrder) {
  auto arguments = parsed({"handles", "x.culprit", "--all", "--top", "5"}).arguments;
  EXPECT_THAT(arguments.operands, ElementsAre("x.culprit"));
  EXPECT_TRUE(arguments.has("--all"));
  EXPECT_THAT(parsed({"handles", "--all", "--", "--odd-name"}).arguments.operands, ElementsAre("--odd-name"));
}

TEST(Arguments, HelpAsksForTheCommandsHelp) {
  for (const char* flag : {"--help", "-h"}) {
    Invocation invocation = parsed({"run", flag});
    EXPECT_EQ(invocation.command->name, "help");
    EXPECT_THAT(invocation.arguments.operands, ElementsAre("run"));
  }
}

TEST(Arguments, AreRefusedInOneSentence) {
  EXPECT_EQ(refused({"run", "--jsno", "--", "ls"}),
            "run has no option --jsno; did you mean --json? (`culprit help run`)");
  EXPECT_THAT(refused({"handles", "-z", "x"}), HasSubstr("handles has no option -z"));
  EXPECT_THAT(refused({"run"}), HasSubstr("no program to run was given"));
  EXPECT_THAT(refused({"run", "--json", "--"}), HasSubstr("no program to run was given"));
  EXPECT_THAT(refused({"handles"}), HasSubstr("usage: culprit handles [options] RECORDING"));
  EXPECT_THAT(refused({"handles", "a", "b"}), HasSubstr("'b' is too much"));
  EXPECT_THAT(refused({"handles", "a", "--top"}), HasSubstr("--top"));
  EXPECT_THAT(refused({"handles", "a", "--top", "0"}), HasSubstr("--top wants a whole number from 1 on, not '0'"));
  EXPECT_THAT(refused({"handles", "a", "--after", "10"}), HasSubstr("--after wants a duration"));
  EXPECT_THAT(refused({"handles", "a", "--all=yes"}), HasSubstr("--all"));
  EXPECT_THAT(refused({"doctor", "x"}), HasSubstr("'x' is too much"));
}

TEST(Arguments, KeepTheLastOfARepeatedOption) {
  EXPECT_EQ(parsed({"run", "--top", "3", "--top", "4", "ls"}).arguments.text("--top"), "4");
}

}  // namespace
}  // namespace culprit
