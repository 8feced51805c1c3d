// `culprit record`: recorders in the background, from start to end, and what becomes of them when something goes wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "support/run_culprit.h"

namespace culprit::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// Opens a file every 10 ms and forgets it.
class Forgetful {
 public:
  Forgetful()
      : running_(
            {"/bin/bash", "-c", "touch \"$0\"; while sleep 0.01; do exec {fd}</etc/passwd; done", folder_ / "ready"}) {
    EXPECT_TRUE(wait_for_file(folder_ / "ready"));
  }
  pid_t process() const { return running_.pid(); }
  std::string pid() const { return std::to_string(process()); }

 private:
  TemporaryFolder folder_;
  Running running_;
};

class Record : public ::testing::Test {
 protected:
  void SetUp() override {
    static const std::string why_not = try_it();
    if (!why_not.empty()) GTEST_SKIP() << "no back end works here: " << why_not;
  }
  std::string try_it() {
    Forgetful victim;
    Ran tried = record({"start", "--pid", victim.pid(), "-o", folder_ / "tried"});
    EXPECT_EQ(record({"cancel"}).ending(), tried.ending());
    return tried.err;
  }
  void TearDown() override { run({"true"}); }  // ends what the test left in the background

  // Does not end what the command leaves in the background.
  Ran record(Words words) {
    words.insert(words.begin(), {culprit_path(), "record"});
    RunOptions options;
    options.environment = {"XDG_RUNTIME_DIR=" + folder_.path()};
    return Running(words, options).wait();
  }
  Json start(Words words) {
    words.insert(words.begin(), "start");
    words.emplace_back("--json");
    Ran ran = record(words);
    EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
    return Json::parse(ran.out, nullptr, false);
  }
  Json status(const std::string& name) {
    const Json all = Json::parse(record({"status", "--json"}).out);
    for (const Json& report : all.at("recorders")) {
      if (report.at("name") == name) return report;
    }
    return nullptr;
  }
  // Asks until it is so; the bound is a safety net, far beyond what anything takes.
  template <typename Condition>
  Json status_when(const std::string& name, Condition condition) {
    Json report;
    for (int i = 0; i < 2000; i++) {
      report = status(name);
      if (report.is_null() || condition(report)) return report;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    ADD_FAILURE() << "it never came to that: " << report;
    return report;
  }
  Json handles(const std::string& file) {
    Ran ran = run_beside({culprit_path(), "handles", file, "--json", "--all"});
    EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
    return Json::parse(ran.out, nullptr, false);
  }
  static Ran run_beside(const Words& words) { return Running(words).wait(); }

  TemporaryFolder folder_;
};

TEST_F(Record, StartsTellsAndStops) {
  Forgetful victim;
  std::string file = folder_ / "leak.culprit";
  Json begun = start({"--pid", victim.pid(), "-o", file});
  EXPECT_EQ(begun.at("name"), "leak");
  EXPECT_EQ(begun.at("file"), file + ".partial");
  EXPECT_EQ(begun.at("what"), "process " + victim.pid());
  EXPECT_NE(begun.at("back_end"), "");
  Json now = status_when("leak", [](const Json& report) { return report.at("events") > 20; });
  EXPECT_EQ(now.at("state"), "recording");
  EXPECT_EQ(now.at("lost"), 0);
  EXPECT_GT(now.at("memory"), 0);
  EXPECT_THAT(record({"status"}).out, HasSubstr("leak: records process " + victim.pid() + " by "));

  Ran stopped = record({"stop"});
  EXPECT_EQ(stopped.ending(), "exit 0") << stopped.err;
  EXPECT_THAT(stopped.out, HasSubstr("to look at it: culprit handles " + file));
  EXPECT_FALSE(std::filesystem::exists(file + ".partial"));
  Json report = handles(file);
  EXPECT_TRUE(report.at("recording").at("complete").get<bool>());
  EXPECT_GT(report.at("totals").at("created"), 20);
  EXPECT_EQ(record({"status"}).out, "no recorder is at work\n");
  EXPECT_EQ(kill(victim.process(), 0), 0);
}

TEST_F(Record, SeveralWorkAtATimeEachByItsName) {
  Forgetful one, two;
  start({"--pid", one.pid(), "-o", folder_ / "one.culprit"});
  start({"--pid", two.pid(), "-o", folder_ / "two.culprit"});
  Json other = start({"--pid", two.pid(), "-o", folder_ / "sub-two"});
  EXPECT_EQ(other.at("name"), "sub-two");
  Ran which = record({"stop"});
  EXPECT_EQ(which.ending(), "exit 2");
  EXPECT_THAT(which.err, HasSubstr("say which one of one, sub-two, two"));
  EXPECT_THAT(record({"stop", "three"}).err, HasSubstr("there is no recorder three; there are one, sub-two, two"));
  for (const char* name : {"one", "two", "sub-two"}) EXPECT_EQ(record({"stop", name}).ending(), "exit 0");
  EXPECT_TRUE(std::filesystem::exists(folder_ / "one.culprit"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "two.culprit"));
}

TEST_F(Record, TwoOnOneFileAreRefused) {
  Forgetful victim;
  start({"--pid", victim.pid(), "-o", folder_ / "x.culprit"});
  Ran second = record({"start", "--pid", victim.pid(), "-o", folder_ / "x.culprit"});
  EXPECT_EQ(second.ending(), "exit 2");
  EXPECT_THAT(second.err, HasSubstr("another culprit is recording to"));
  Ran stopped = record({"stop"});  // the first one is the only one, and unharmed
  EXPECT_EQ(stopped.ending(), "exit 0") << stopped.err;
}

TEST_F(Record, KilledLeavesWhatItHadAndItsPlaceIsTaken) {
  Forgetful victim;
  std::string file = folder_ / "x.culprit";
  Json begun = start({"--pid", victim.pid(), "-o", file});
  status_when("x", [](const Json& report) { return report.at("events") > 5 && report.at("bytes") > 2000; });
  kill(begun.at("pid").get<pid_t>(), SIGKILL);
  wait_for_adopted(begun.at("pid").get<pid_t>());
  EXPECT_TRUE(std::filesystem::exists(folder_ / "culprit/x.sock"));
  EXPECT_EQ(status("x").at("state"), "died");
  EXPECT_THAT(record({"status"}).out, HasSubstr("x: died while it recorded"));
  Json report = handles(file + ".partial");
  EXPECT_FALSE(report.at("recording").at("complete").get<bool>());
  EXPECT_GT(report.at("totals").at("created"), 0);
  EXPECT_EQ(kill(victim.process(), 0), 0);

  EXPECT_EQ(start({"--pid", victim.pid(), "-o", file}).at("name"), "x");
  EXPECT_EQ(status("x").at("state"), "recording");
  EXPECT_EQ(record({"stop"}).ending(), "exit 0");
}

TEST_F(Record, EndsByItselfAndSaysWhy) {
  Forgetful victim;
  auto ended = [](const Json& report) { return report.at("state") == "ended"; };
  start({"--pid", victim.pid(), "-o", folder_ / "a", "--for", "200ms"});
  EXPECT_EQ(status_when("a", ended).at("ended_because"), "the time of --for is over");
  start({"--pid", victim.pid(), "-o", folder_ / "b", "--stop-when", "handles(" + victim.pid() + ") > 1 and size > 1k"});
  EXPECT_THAT(status_when("b", ended).at("ended_because").get<std::string>(), StartsWith("handles("));
  Forgetful short_lived;
  start({"--pid", short_lived.pid(), "-o", folder_ / "c"});
  kill(short_lived.process(), SIGKILL);
  EXPECT_EQ(status_when("c", ended).at("ended_because"), "what was recorded has ended");
  Json begun = start({"--pid", victim.pid(), "-o", folder_ / "d"});
  kill(begun.at("pid").get<pid_t>(), SIGTERM);
  EXPECT_EQ(status_when("d", ended).at("ended_because"), "it got the signal TERM");
  for (const char* name : {"a", "b", "c", "d"}) {
    Ran stopped = record({"stop", name});
    EXPECT_EQ(stopped.ending(), "exit 0") << stopped.err;
    EXPECT_THAT(stopped.out, HasSubstr("to look at it: culprit handles " + folder_ / name));
    EXPECT_TRUE(handles(folder_ / name).at("recording").at("complete").get<bool>());
  }
}

TEST_F(Record, CancelledLeavesNothing) {
  Forgetful victim;
  start({"--pid", victim.pid(), "-o", folder_ / "x"});
  EXPECT_EQ(record({"cancel"}).out, "x: cancelled; nothing is kept of it\n");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "x.partial"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "x"));
  EXPECT_EQ(record({"status"}).out, "no recorder is at work\n");
}

TEST_F(Record, IsADaemon) {
  Forgetful victim;
  Json begun = start({"--pid", victim.pid(), "-o", folder_ / "x"});
  auto pid = begun.at("pid").get<pid_t>();
  EXPECT_NE(getsid(pid), getsid(0));
  std::string process = "/proc/" + std::to_string(pid);
  for (const char* fd : {"/fd/0", "/fd/1", "/fd/2"})
    EXPECT_EQ(std::filesystem::read_symlink(process + fd), "/dev/null");
  EXPECT_EQ(std::filesystem::read_symlink(process + "/cwd"), "/");
  struct stat folder {};
  ASSERT_EQ(stat((folder_ / "culprit").c_str(), &folder), 0);
  EXPECT_EQ(folder.st_mode & 0777, 0700u);
  EXPECT_EQ(record({"cancel"}).ending(), "exit 0");
}

TEST_F(Record, SaysWhatIsWrongWithItsOptions) {
  struct Case {
    Words words;
    std::string sentence;
  };
  const Case cases[] = {
      {{}, "say what to record: --all, --pid, --name, --cgroup or --uid"},
      {{"--all", "--pid", "1"}, "--all is every process"},
      {{"--pid", "server"}, "--pid wants process numbers"},
      {{"--pid", "999999999"}, "there is no process 999999999"},
      {{"--uid", "nobody-of-that-name"}, "there is no user nobody-of-that-name"},
      {{"--pid", "1", "--circular", "1M", "--max-size", "1M"}, "take one of them"},
      {{"--pid", "1", "--circular", "1k"}, "need 1M at least"},
      {{"--pid", "1", "--memory", "1k"}, "needs 8M at least"},
      {{"--pid", "1", "--stop-when", "handles > 5"}, "the condition to stop has"},
      {{"--pid", "1", "--via", "magic"}, "magic"},
      {{"--pid", std::to_string(getpid()), "-o", "/nowhere/x"}, "/nowhere/x"},
  };
  for (const Case& one : cases) {
    Words words = one.words;
    words.insert(words.begin(), "start");
    Ran ran = record(words);
    EXPECT_EQ(ran.ending(), "exit 2") << one.sentence;
    EXPECT_THAT(ran.err, HasSubstr(one.sentence));
    EXPECT_EQ(ran.out, "");
  }
  EXPECT_EQ(record({"status"}).out, "no recorder is at work\n");
  EXPECT_THAT(record({"stop"}).err, HasSubstr("no recorder is at work"));
  EXPECT_THAT(record({}).err, HasSubstr("say what to record: culprit record start|stop|status|cancel"));
}

TEST_F(Record, GoesOnWhenTheDiskIsFull) {
  std::string disk = folder_ / "disk";
  std::filesystem::create_directory(disk);
  if (mount("culprit-test", disk.c_str(), "tmpfs", 0, "size=64k") != 0) GTEST_SKIP() << "mounting needs root";
  struct Unmount {
    std::string path;
    ~Unmount() { umount2(path.c_str(), MNT_DETACH); }
  } unmount{disk};
  Running victim({program("leaks_then_churns"), folder_ / "go", "60000", folder_ / "done"});
  start({"--pid", std::to_string(victim.pid()), "-o", disk + "/x"});
  write_file(folder_ / "go", "");
  Json full = status_when("x", [](const Json& report) { return report.at("trouble") != ""; });
  EXPECT_THAT(full.at("trouble").get<std::string>(), HasSubstr("No space left on device"));
  EXPECT_EQ(full.at("state"), "recording");
  ASSERT_TRUE(wait_for_file(folder_ / "done"));
  Ran stopped = record({"stop"});
  EXPECT_EQ(stopped.ending(), "exit 0") << stopped.err;
  EXPECT_THAT(stopped.out, HasSubstr("could not be written"));
  EXPECT_GT(loss(handles(disk + "/x"), "write_failed"), 0u);
}

TEST_F(Record, ACircularOneKeepsTheStacksOfWhatWasForgottenLongAgo) {
  Running victim({program("leaks_then_churns"), folder_ / "go", "200000", folder_ / "done"});
  std::string file = folder_ / "x.culprit";
  start({"--pid", std::to_string(victim.pid()), "-o", file, "--circular", "1M"});
  write_file(folder_ / "go", "");
  ASSERT_TRUE(wait_for_file(folder_ / "done"));
  Json now = status_when("x", [](const Json& report) { return report.at("complete_from") > 0; });
  EXPECT_LE(now.at("bytes"), 1 << 20);
  EXPECT_EQ(record({"stop"}).ending(), "exit 0");
  EXPECT_LE(std::filesystem::file_size(file), 1u << 20);
  Json report = handles(file);
  EXPECT_GT(loss(report, "window_moved_on"), 100'000u);
  EXPECT_EQ(made_under(report, "forget_one"), (Made{5, 0, 5}));
}

}  // namespace
}  // namespace culprit::test
