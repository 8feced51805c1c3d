// `culprit handles PID` on real programs.
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <memory>
#include <sstream>
#include <thread>

#include "support/run_culprit.h"

namespace culprit::test {
namespace {

using ::testing::HasSubstr;

// tests/programs/every_way, stopped from ending by a full pipe for its standard output: it has made everything then.
class EveryWay {
 public:
  EveryWay() {
    RunOptions options;
    options.in_child = [] {
      // Nobody reads: the line that it says last blocks once the pipe is full.
      int ends[2];
      if (pipe(ends) != 0 || dup2(ends[1], 1) != 1) _exit(9);
      char filling[4096] = {};
      for (int i = 0; i < 16; i++)
        if (write(1, filling, sizeof filling) != sizeof filling) _exit(9);
    };
    running_ = std::make_unique<Running>(Words{program("every_way"), truth()}, options);
    ready_ = wait_for_file(truth()) && is_writing_its_last_line();
  }
  pid_t pid() const { return running_->pid(); }
  std::string truth() const { return folder_ / "truth"; }
  bool is_ready() const { return ready_; }

 private:
  // Its last file is closed, and it is blocked in write(1, …).
  bool is_writing_its_last_line() const {
    for (int i = 0; i < 60'000; i++) {
      if (contents("/proc/" + std::to_string(pid()) + "/syscall").starts_with("1 0x1 ")) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }

  TemporaryFolder folder_;
  std::unique_ptr<Running> running_;
  bool ready_ = false;
};

std::map<int64_t, std::string> links_of(pid_t pid) {
  std::map<int64_t, std::string> links;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd"))
    links[std::stol(entry.path().filename())] = std::filesystem::read_symlink(entry.path());
  return links;
}

TEST(Inventory, HasEveryHandleOfEveryWayWithItsDetails) {
  EveryWay program;
  ASSERT_TRUE(program.is_ready());
  const Ran ran = run({culprit_path(), "handles", std::to_string(program.pid()), "--json"});
  ASSERT_EQ(ran.exit_code(), 0) << ran.err;
  const Json json = Json::parse(ran.out);
  std::map<int64_t, std::string> links;
  for (const Json& handle : json["handles"]) {
    links[handle["value"]] = handle["link"];
    EXPECT_TRUE(handle["details"]) << handle;
    EXPECT_NE(handle["type"], "other") << handle;
  }
  EXPECT_EQ(links, links_of(program.pid()));
  EXPECT_GT(links.size(), 80u);
  EXPECT_EQ(json["open"], links.size());
}

TEST(Inventory, IsReadableInEightyColumns) {
  EveryWay program;
  ASSERT_TRUE(program.is_ready());
  const Ran ran = run({culprit_path(), "handles", std::to_string(program.pid())});
  EXPECT_THAT(ran.out, HasSubstr("culprit: every_way (pid "));
  EXPECT_THAT(ran.out, HasSubstr("epoll"));
  std::istringstream lines(ran.out);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << line;
}

TEST(Inventory, RefusesWhatOnlyARecordingKnows) {
  const Ran ran = run({culprit_path(), "handles", std::to_string(getpid()), "--by", "type"});
  EXPECT_EQ(ran.exit_code(), 2);
  EXPECT_EQ(ran.err, "culprit: --by needs a recording of the process: with --for 10s or --until-enter one is made\n");
  EXPECT_EQ(run({culprit_path(), "handles", std::to_string(getpid()), "--value", "x"}).exit_code(), 2);
}

}  // namespace
}  // namespace culprit::test
