// Whatever happens to culprit, the program runs to its end with the same result.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "support/run_culprit.h"

namespace culprit::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

Ran worker_alone(const char* rounds) { return run({program("steady_worker"), rounds}); }

TEST(CulpritKilled, LeavesTheProgramAliveAndTheRecordingReadable) {
  TemporaryFolder folder;
  constexpr const char* rounds = "200000";
  Ran alone = worker_alone(rounds);
  ASSERT_EQ(alone.exit_code(), 5);
  std::string recording = folder / "cut.culprit";
  Running culprit(
      under_culprit({"-o", recording}, {program("steady_worker"), rounds, folder / "ready", folder / "go"}));
  ASSERT_TRUE(wait_for_file(folder / "ready"));
  std::vector<pid_t> children = culprit.children();
  ASSERT_EQ(children.size(), 1u);
  ::kill(culprit.pid(), SIGKILL);
  // Only now may the program go on, so that most of its work happens without culprit.
  write_file(folder / "go", "");
  int status = wait_for_adopted(children[0]);
  ASSERT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 5);
  EXPECT_EQ(culprit.wait().out, alone.out);

  EXPECT_EQ(access(recording.c_str(), F_OK), -1);
  Ran handles = run({culprit_path(), "handles", "--json", "--all", recording + ".partial"});
  ASSERT_EQ(handles.ending(), "exit 0") << handles.err;
  Json report = Json::parse(handles.out, nullptr, false);
  ASSERT_FALSE(report.is_discarded());
  EXPECT_FALSE(report.at("exact").get<bool>());
  EXPECT_EQ(loss(report, "recording_incomplete"), 1u);
}

TEST(DiskFull, IsNotTheProgramsProblem) {
  constexpr const char* rounds = "400000";  // makes a recording far larger than the room there is
  Ran alone = worker_alone(rounds);
  TemporaryFolder folder;
  static std::string place;
  place = folder.path();
  RunOptions options;
  if (geteuid() == 0) {
    options.in_child = [] {  // a mount of its own, which goes with the process
      if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
          ::mount("tmpfs", place.c_str(), "tmpfs", 0, "size=64k") != 0)
        ::_exit(123);
    };
  } else {
    options.in_child = [] {
      rlimit limit{65536, 65536};
      ::setrlimit(RLIMIT_FSIZE, &limit);
    };
  }
  Ran ran = run(under_culprit({"-o", folder / "full.culprit"}, {program("steady_worker"), rounds}), options);
  ASSERT_NE(ran.exit_code(), 123) << "cannot mount a small tmpfs";
  EXPECT_EQ(ran.ending(), alone.ending()) << ran.err;
  EXPECT_EQ(ran.out, alone.out);
  EXPECT_THAT(ran.err, HasSubstr("could not be written"));
}

TEST(RecordingFolder, MayGoAwayMeanwhile) {
  TemporaryFolder folder;
  constexpr const char* rounds = "100000";
  Ran alone = worker_alone(rounds);
  std::filesystem::create_directory(folder / "gone");
  Running running(under_culprit({"-o", folder / "gone/x.culprit"},
                                {program("steady_worker"), rounds, folder / "ready", folder / "go"}));
  ASSERT_TRUE(wait_for_file(folder / "ready"));
  std::filesystem::remove_all(folder / "gone");
  write_file(folder / "go", "");
  Ran ran = running.wait();
  EXPECT_EQ(ran.ending(), alone.ending()) << ran.err;
  EXPECT_EQ(ran.out, alone.out);
  EXPECT_THAT(ran.err, HasSubstr("leak_of_worker"));  // the report still comes
  EXPECT_THAT(ran.err, HasSubstr("culprit: "));       // and what became of the recording
}

TEST(RecordingFolder, ThatIsNotThereIsRefusedBeforeTheProgramStarts) {
  TemporaryFolder folder;
  Ran ran = run(under_culprit({"-o", "/no/such/folder/x.culprit"}, {"/usr/bin/touch", folder / "started"}));
  EXPECT_EQ(ran.ending(), "exit 2");
  EXPECT_THAT(ran.err, HasSubstr("/no/such/folder"));
  EXPECT_EQ(access((folder / "started").c_str(), F_OK), -1);
}

}  // namespace
}  // namespace culprit::test
