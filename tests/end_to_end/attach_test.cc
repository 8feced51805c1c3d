// `culprit attach` and `culprit handles PID` on real processes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/run_culprit.h"

namespace culprit::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

bool bpf_works() {
  static const bool works = run({culprit_path(), "run", "--via", "bpf", "--", "true"}).ending() == "exit 0";
  return works;
}

// Opens a file every 20 ms and forgets it; another one it closes again.
class Victim {
 public:
  Victim()
      : running_({"/bin/bash", "-c",
                  "exec 9</dev/null; touch \"$0\"; while sleep 0.02; do exec {fd}</etc/passwd; exec {no}</etc/group; "
                  "exec {no}<&-; done",
                  folder_ / "ready"}) {
    EXPECT_TRUE(wait_for_file(folder_ / "ready"));
  }
  std::string pid() const { return std::to_string(running_.pid()); }
  pid_t process() const { return running_.pid(); }

 private:
  TemporaryFolder folder_;
  Running running_;
};

Ran console(const Victim& victim, const std::string& commands, const Words& options = {}) {
  Words words{culprit_path(), "attach", victim.pid()};
  words.insert(words.end(), options.begin(), options.end());
  words.insert(words.end(), {"-c", commands});
  return run(words);
}

class Attach : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!bpf_works()) GTEST_SKIP() << "attaching by bpf needs root and a kernel that takes BPF programs";
  }
};

TEST_F(Attach, TellsByDiffWhatWasOpenedSinceTheMarkAndIsStillOpen) {
  Victim victim;
  Ran ran = console(victim, "mark before; sleep 300ms; diff before --json; detach");
  ASSERT_EQ(ran.ending(), "exit 0") << ran.err;
  Json diff = Json::parse(ran.out.substr(ran.out.find('{'), ran.out.rfind('}') - ran.out.find('{') + 1));
  EXPECT_TRUE(diff.at("exact").get<bool>()) << ran.out;
  EXPECT_GT(diff.at("opened").at("count"), 0);
  EXPECT_THAT(diff.at("opened").dump(), HasSubstr("/etc/passwd"));
  EXPECT_THAT(diff.at("opened").dump(), Not(HasSubstr("/etc/group")));
  EXPECT_GT(diff.at("between").at("closed"), 0);
  EXPECT_THAT(ran.out, HasSubstr("was let go"));
  EXPECT_EQ(kill(victim.process(), 0), 0);
}

TEST_F(Attach, ListsHandlesFromBeforeAsExisting) {
  Victim victim;
  Ran ran = run({culprit_path(), "handles", victim.pid(), "--for", "200ms", "--json", "--all"});
  ASSERT_EQ(ran.ending(), "exit 0") << ran.err;
  Json report = Json::parse(ran.out);
  uint64_t existing = 0;
  for (const Json& handle : report.at("handles")) {
    existing += handle.at("how_created") == "existing" && handle.at("value") == 9 && handle.at("name") == "/dev/null";
  }
  EXPECT_EQ(existing, 1u) << ran.out;
  EXPECT_TRUE(report.at("exact").get<bool>());
}

TEST_F(Attach, EndsInTheMiddleOfOpensAndClosesWithoutSeeingOneByHalf) {
  TemporaryFolder folder;
  Running busy({"/bin/bash", "-c", "touch \"$0\"; while :; do exec 3</dev/null; exec 3<&-; done", folder / "ready"});
  ASSERT_TRUE(wait_for_file(folder / "ready"));
  for (int time = 0; time < 5; time++) {
    Ran ran = run({culprit_path(), "handles", std::to_string(busy.pid()), "--for", "20ms", "--json"});
    ASSERT_EQ(ran.ending(), "exit 0") << ran.err;
    EXPECT_TRUE(Json::parse(ran.out).at("exact").get<bool>()) << Json::parse(ran.out).at("losses");
  }
}

TEST_F(Attach, SpeaksWinDbg) {
  Victim victim;
  Ran ran = console(victim, "!htrace -enable; !htrace -snapshot; !htrace -diff; !htrace 9; !htrace -disable");
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("marked: mark 1"));
  EXPECT_THAT(ran.out, HasSubstr("was let go"));
}

TEST_F(Attach, ToWhatCannotBeAttachedToIsOneSentence) {
  EXPECT_THAT(run({culprit_path(), "attach", "999999999"}).err, HasSubstr("there is no process"));
  EXPECT_THAT(run({culprit_path(), "attach", "2", "-c", "q"}).err, HasSubstr("kernel thread"));
  pid_t zombie = fork();
  if (zombie == 0) _exit(0);
  siginfo_t info;
  waitid(P_PID, static_cast<id_t>(zombie), &info, WEXITED | WNOWAIT);
  Ran ran = run({culprit_path(), "attach", std::to_string(zombie), "-c", "q"});
  EXPECT_THAT(ran.err, HasSubstr("zombie"));
  EXPECT_EQ(ran.ending(), "exit 2");
  waitpid(zombie, nullptr, 0);
}

TEST_F(Attach, ToAProcessThatEndsMeanwhileStillAnswers) {
  TemporaryFolder folder;
  Running sleeper({"/bin/sleep", "1000"});
  Running culprit({"/bin/sh", "-c", "exec \"$0\" handles \"$1\" --for 60s --json --all 2> \"$2\"", culprit_path(),
                   std::to_string(sleeper.pid()), folder / "said"});
  for (int look = 0; look < 20'000 && contents(folder / "said").find("recording") == std::string::npos; look++)
    usleep(1'000);
  kill(sleeper.pid(), SIGTERM);
  sleeper.wait();
  Ran ran = culprit.wait();
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  EXPECT_TRUE(Json::parse(ran.out).at("exact").get<bool>());
}

TEST_F(Attach, MistypedCommandsAreSuggestedAndFailAScript) {
  Victim victim;
  Ran ran = console(victim, "marc; q");
  EXPECT_THAT(ran.err, HasSubstr("did you mean mark?"));
  EXPECT_EQ(ran.ending(), "exit 2");
}

}  // namespace
}  // namespace culprit::test
