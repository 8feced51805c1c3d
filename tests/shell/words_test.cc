// Words and commands as people type them at the console.
#include "shell/words.h"

#include <gtest/gtest.h>

namespace culprit {
namespace {

TEST(Words, AreSplitAtBlanksAndKeptTogetherByQuotes) {
  EXPECT_EQ(split_words("  mark  'before the storm' x\"y z\" "),
            (std::vector<std::string>{"mark", "before the storm", "xy z"}));
  EXPECT_EQ(split_words("mark ''"), (std::vector<std::string>{"mark", ""}));
  EXPECT_TRUE(split_words(" \t ").empty());
}

std::vector<std::string> commands_of(std::string_view line) {
  std::vector<std::string> commands;
  while (!line.empty()) commands.emplace_back(take_command(line));
  return commands;
}

TEST(Words, MakeSeveralCommandsAtSemicolonsOutsideOfQuotesAndBraces) {
  EXPECT_EQ(commands_of("mark 'a;b'; diff "), (std::vector<std::string>{"mark 'a;b'", "diff"}));
  EXPECT_EQ(commands_of(";;k"), (std::vector<std::string>{"", "", "k"}));
  EXPECT_EQ(commands_of(".if (1) {k; r} .else {gc}; q"),
            (std::vector<std::string>{".if (1) {k; r} .else {gc}", "q"}));
  EXPECT_EQ(commands_of("} 'open; k"), (std::vector<std::string>{"} 'open; k"}));
}

TEST(Words, AreTheOptionsOfTheCommandLine) {
  const Command& handles = *find_command("handles");
  auto arguments = parse_words(handles, {"--by", "type,how", "--min-age=10s", "--outstanding"});
  ASSERT_TRUE(arguments) << arguments.error().what;
  EXPECT_EQ(arguments->text("--by"), "type,how");
  EXPECT_EQ(arguments->nanoseconds("--min-age"), 10'000'000'000);
  EXPECT_TRUE(arguments->has("--outstanding"));
}

TEST(Words, ThatAreWrongAreNamed) {
  const Command& handles = *find_command("handles");
  EXPECT_NE(parse_words(handles, {"--nonsense"}).error().what.find("--nonsense"), std::string::npos);
  EXPECT_NE(parse_words(handles, {"--by"}).error().what.find("LIST"), std::string::npos);
  EXPECT_FALSE(parse_words(handles, {"--min-age", "soon"}));
  EXPECT_FALSE(parse_words(handles, {"one", "two"}));
}

}  // namespace
}  // namespace culprit
