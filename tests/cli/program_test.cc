// The program as a shell sees it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>

namespace culprit {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Said {
  int status = -1;
  std::string text;
};

Said sh(const std::string& words) {
  std::filesystem::path culprit = std::filesystem::canonical("/proc/self/exe").parent_path().parent_path() / "culprit";
  std::FILE* pipe = ::popen((culprit.string() + " " + words).c_str(), "r");
  Said said;
  std::array<char, 4096> buffer;
  while (size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) said.text.append(buffer.data(), got);
  said.status = WEXITSTATUS(::pclose(pipe));
  return said;
}

TEST(Program, ExplainsItself) {
  EXPECT_THAT(sh("").text, StartsWith("culprit names the line of code"));
  EXPECT_EQ(sh("").text, sh("--help").text);
  EXPECT_EQ(sh("help").text, sh("-h").text);
  EXPECT_EQ(sh("run --help").text, sh("help run").text);
  EXPECT_EQ(sh("--version").text, "culprit 0.1.0\n");
  EXPECT_EQ(sh("--version").status, 0);
}

TEST(Program, AnswersASlipWithOneSentenceAndStatusTwo) {
  Said said = sh("hanldes x 2>&1");
  EXPECT_EQ(said.status, 2);
  EXPECT_EQ(said.text, "culprit: there is no command 'hanldes'; did you mean `culprit handles`?\n");
  said = sh("doctor --jsn 2>&1");
  EXPECT_EQ(said.status, 2);
  EXPECT_EQ(said.text, "culprit: doctor has no option --jsn; did you mean --json? (`culprit help doctor`)\n");
  EXPECT_THAT(sh("$(printf '\\033[31m') 2>&1").text, HasSubstr("\\x1b[31m"));
}

TEST(Program, SaysSoWhenItsAnswerCannotBeWritten) {
  Said said = sh("help 2>&1 >/dev/full");
  EXPECT_EQ(said.status, 2);
  EXPECT_EQ(said.text, "culprit: cannot write: No space left on device\n");
}

// Or else the first file that culprit opens would get the number, and the answer: the memory of a process, for example.
TEST(Program, WritesToNothingElseWhenItsOutputIsClosed) {
  for (std::string words : {"handles $$", "stacks $$", "locks $$", "shell $$ -c lm"}) {
    Said said = sh(words + " 2>&1 >&-");
    EXPECT_EQ(said.status, 2) << words;
    EXPECT_EQ(said.text, "culprit: cannot write: Bad file descriptor\n") << words;
  }
  EXPECT_EQ(sh("shell $$ 2>&1 <&-").status, 0);
}

TEST(Program, LeavesClosedStreamsClosedToTheProgramItRuns) {
  Said said = sh("run -- sh -c 'test -e /proc/self/fd/0 || echo none' <&- 2>/dev/null");
  EXPECT_EQ(said.text, "none\n");
}

}  // namespace
}  // namespace culprit
