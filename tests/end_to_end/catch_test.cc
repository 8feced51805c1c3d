// `culprit catch`: pages about crashes that the kernel hands over, one by one and many at a time.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "end_to_end/catch_place.h"

namespace culprit::test {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class CatchHandle : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!kernel_leaves_cores()) GTEST_SKIP() << "the kernel writes no plain core files here";
    core_ = core_of({program("crash_victim"), "exception"}, place_);
    ASSERT_NE(core_, "");
  }

  void settle(const std::string& settings) const {
    std::filesystem::create_directory(state_);
    write_file(state_ + "/settings.json", settings);
  }

  // As if as many handlers as may be were at work.
  std::vector<int> take_all_slots() const {
    std::vector<int> slots;
    for (int slot = 0; slot < 4; ++slot) {
      slots.push_back(::open((state_ + "/slot." + std::to_string(slot)).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
      EXPECT_EQ(::flock(slots.back(), LOCK_EX), 0);
    }
    return slots;
  }

  TemporaryFolder place_;
  std::string core_, state_ = place_ / "state";
};

TEST_F(CatchHandle, KeepsThePageThatTheWholeCoreHas) {
  Ran ran = handle(state_, contents(core_));
  ASSERT_EQ(ran.ending(), "exit 0") << ran.err;
  Json page = Json::parse(run(catch_words("show", state_, {"--json"})).out, nullptr, false);
  Json whole = Json::parse(run({culprit_path(), "crash", core_, "--json"}).out, nullptr, false);
  for (const char* part :
       {"sentence", "cause", "bucket", "hash", "fault", "stack", "blamed", "code", "modules", "exact", "losses"})
    EXPECT_EQ(page.at(part), whole.at(part)) << part;
  Json caught = list(state_).at("crashes").at(0);
  EXPECT_EQ(caught.at("program"), "crash_victim");
  EXPECT_EQ(caught.at("signal"), "SIGABRT");
  EXPECT_EQ(caught.at("sentence"), page.at("sentence"));
  EXPECT_EQ(caught.at("core_bytes"), 0);
  EXPECT_THAT(run(catch_words("show", state_, {"1"})).out, StartsWith("An exception was thrown that nobody catches"));
}

TEST_F(CatchHandle, KeepsASmallCoreThatTellsTheSame) {
  settle(R"({"keeps_cores": true})");
  ASSERT_EQ(handle(state_, contents(core_)).ending(), "exit 0");
  Json small = Json::parse(run({culprit_path(), "crash", state_ + "/1/core", "--json"}).out, nullptr, false);
  Json whole = Json::parse(run({culprit_path(), "crash", core_, "--json"}).out, nullptr, false);
  EXPECT_EQ(small.at("sentence"), whole.at("sentence"));
  EXPECT_EQ(small.at("stack"), whole.at("stack"));
}

TEST_F(CatchHandle, ALargeCoreIsCutDownAndSaysSo) {
  settle(R"({"keeps_cores": true})");
  std::string core = core_of({program("large_memory"), "256"}, place_);
  ASSERT_NE(core, "");
  Ran ran = run({"/bin/sh", "-c", "cat \"$1\" | \"$0\" catch handle --state \"$2\"", culprit_path(), core, state_});
  ASSERT_EQ(ran.ending(), "exit 0") << ran.err;
  EXPECT_LT(std::filesystem::file_size(state_ + "/1/core"), 64 << 20);
  Json page = Json::parse(run(catch_words("show", state_, {"--json"})).out, nullptr, false);
  EXPECT_EQ(page.at("cause"), "null_write") << page.at("sentence");
  EXPECT_FALSE(page.at("exact").get<bool>());
  EXPECT_EQ(page.at("losses").at(0).at("kind"), "memory_missing");
}

TEST_F(CatchHandle, APipeThatEndsEarlyGivesWhatThereIs) {
  std::string core = contents(core_);
  for (size_t size : {size_t{0}, size_t{10}, size_t{1000}, core.size() / 8, core.size() / 2, core.size() - 4096}) {
    Ran ran = handle(state_, core.substr(0, size));
    EXPECT_THAT(ran.ending(), ::testing::AnyOf("exit 0", "exit 2")) << size;
    if (ran.ending() == "exit 2") {
      EXPECT_THAT(ran.err, ContainsRegex("culprit: .*core")) << size;
    }
  }
  Json crashes = list(state_).at("crashes");
  ASSERT_EQ(crashes.size(), 6);
  for (const Json& crash : crashes) EXPECT_TRUE(crash.at("finished").get<bool>());
  EXPECT_THAT(crashes.at(0).at("problem").get<std::string>(), HasSubstr("ends after 0 B"));
  EXPECT_EQ(crashes.at(5).at("problem"), "");
}

TEST_F(CatchHandle, WhatIsNoCoreIsKeptWithTheReason) {
  Ran ran = handle(state_, std::string(10'000, 'x'));
  EXPECT_EQ(ran.ending(), "exit 2");
  EXPECT_THAT(ran.err, HasSubstr("what comes is no core"));
  EXPECT_EQ(run(catch_words("show", state_, {"1"})).ending(), "exit 2");
}

TEST_F(CatchHandle, KeepsNoMoreThanWasAskedFor) {
  settle(R"({"most_crashes": 2})");
  for (int i = 0; i < 4; ++i) ASSERT_EQ(handle(state_, contents(core_)).ending(), "exit 0");
  Json crashes = list(state_).at("crashes");
  ASSERT_EQ(crashes.size(), 2);
  EXPECT_EQ(crashes.at(0).at("number"), 3);
  settle(R"({"most_bytes": 1})");
  ASSERT_EQ(handle(state_, contents(core_)).ending(), "exit 0");
  EXPECT_EQ(list(state_).at("crashes").size(), 1);
}

TEST_F(CatchHandle, AFullDiskLeavesNothingHalf) {
  std::filesystem::create_directory(state_);
  if (::mount("culprit", state_.c_str(), "tmpfs", 0, "size=16k") != 0) GTEST_SKIP() << "cannot mount a small tmpfs";
  Ran ran = handle(state_, contents(core_));
  Json crashes = list(state_).at("crashes");
  bool is_partial = std::filesystem::exists(state_ + "/1.partial");
  ::umount(state_.c_str());
  EXPECT_EQ(ran.ending(), "exit 2");
  EXPECT_THAT(ran.err, HasSubstr("No space left on device"));
  EXPECT_TRUE(crashes.empty());
  EXPECT_FALSE(is_partial);
}

// As much room as a page takes, and less than a core.
TEST_F(CatchHandle, AFullDiskThatTakesNoCoreKeepsThePage) {
  std::filesystem::create_directory(state_);
  if (::mount("culprit", state_.c_str(), "tmpfs", 0, "size=160k") != 0) GTEST_SKIP() << "cannot mount a small tmpfs";
  settle(R"({"keeps_cores": true})");
  Ran ran = handle(state_, contents(core_));
  Json crashes = list(state_).at("crashes");
  Ran page = run(catch_words("show", state_));
  bool is_core_there = std::filesystem::exists(state_ + "/1/core");
  ::umount(state_.c_str());
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  ASSERT_EQ(crashes.size(), 1);
  EXPECT_EQ(crashes.at(0).at("core_bytes"), 0);
  EXPECT_FALSE(is_core_there);
  EXPECT_THAT(page.out, StartsWith("An exception was thrown that nobody catches"));
  EXPECT_THAT(page.out, ContainsRegex("core.*No space left on device"));
}

// It would be made private.
TEST_F(CatchHandle, AFolderOfOthersIsLeftAlone) {
  std::filesystem::create_directory(state_);
  std::filesystem::permissions(state_, std::filesystem::perms(0755));
  write_file(state_ + "/mine", "");
  Ran ran = handle(state_, contents(core_));
  EXPECT_EQ(ran.ending(), "exit 2");
  EXPECT_THAT(ran.err, HasSubstr("crashes need a folder of their own"));
  EXPECT_EQ(std::filesystem::status(state_).permissions(), std::filesystem::perms(0755));
}

TEST_F(CatchHandle, AProgramOfAnotherBuildIsSaidNotToBeUsed) {
  Ran ran = run({culprit_path(), "crash", core_, program("full_handles"), "--json"});
  EXPECT_EQ(ran.ending(), "exit 0");
  EXPECT_THAT(ran.err, ContainsRegex("full_handles is another build .*it was not used, .*crash_victim was"));
  EXPECT_EQ(run({culprit_path(), "crash", core_, program("crash_victim"), "--json"}).err, "");
}

TEST_F(CatchHandle, MoreAtATimeThanMayBeAreCounted) {
  settle("{}");
  std::vector<int> slots = take_all_slots();
  Ran ran = handle(state_, contents(core_));
  for (int slot : slots) ::close(slot);
  EXPECT_EQ(ran.ending(), "exit 2");
  EXPECT_THAT(ran.err, HasSubstr("4 other crashes are being looked at"));
  EXPECT_EQ(list(state_).at("not_looked_at"), 1);
  EXPECT_EQ(handle(state_, contents(core_)).ending(), "exit 0");
}

TEST_F(CatchHandle, WhatIsOnlyCountedDoesNotFillTheDisk) {
  settle("{}");
  const std::string full(size_t{1} << 20, '\n');
  write_file(state_ + "/missed", full);
  std::vector<int> slots = take_all_slots();
  EXPECT_EQ(handle(state_, contents(core_)).ending(), "exit 2");
  for (int slot : slots) ::close(slot);
  EXPECT_EQ(contents(state_ + "/missed"), full + "\n");
}

TEST_F(CatchHandle, AHandlerThatIsKilledIsNotTakenForFinished) {
  std::string pipe = place_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  int writer = ::open(pipe.c_str(), O_RDWR | O_CLOEXEC);  // never ends
  Running handler({"/bin/sh", "-c", "exec \"$0\" catch handle --state \"$1\" < \"$2\"", culprit_path(), state_, pipe});
  while (contents(state_ + "/1.partial/crash.json").empty()) ::usleep(1000);
  ::kill(handler.pid(), SIGKILL);
  handler.wait();
  ::close(writer);
  EXPECT_EQ(list(state_).at("crashes").at(0).at("finished"), false);
  EXPECT_EQ(handle(state_, contents(core_)).ending(), "exit 0");
  EXPECT_EQ(list(state_).at("crashes").at(1).at("number"), 2);
}

TEST_F(CatchHandle, AFolderThatCannotBeReadIsNotTakenForAnEmptyOne) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  ASSERT_EQ(handle(state_, contents(core_)).ending(), "exit 0");
  std::filesystem::permissions(place_.path(), std::filesystem::perms(0711));
  for (const char* verb : {"list", "show"}) {
    Ran ran = run(catch_words(verb, state_), {.in_child = [] {
                    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(9);
                  }});
    EXPECT_EQ(ran.ending(), "exit 2") << verb;
    EXPECT_EQ(ran.out, "") << verb;
    EXPECT_EQ(ran.err, "culprit: cannot read " + state_ + ", where caught crashes are kept: Permission denied\n");
  }
}

TEST_F(CatchHandle, ADamagedCrashIsSaidToBeSoAndHasItsPage) {
  ASSERT_EQ(handle(state_, contents(core_)).ending(), "exit 0");
  write_file(state_ + "/1/crash.json", "{\"number\": 1");
  Ran text = run(catch_words("list", state_));
  EXPECT_THAT(text.out, HasSubstr("     1  its crash.json cannot be read\n"));
  EXPECT_THAT(text.out, Not(HasSubstr("1970")));
  Json crash = list(state_).at("crashes").at(0);
  EXPECT_EQ(crash.at("damaged"), true);
  EXPECT_EQ(crash.at("number"), 1);
  EXPECT_THAT(run(catch_words("show", state_, {"1"})).out, StartsWith("An exception was thrown"));
}

TEST_F(CatchHandle, DamagedSettingsAreToldWhereverTheyCount) {
  for (const char* damaged : {"", "{\"most_crashes\": 2", R"({"most_bytes": "1G"})", R"({"keeps_cores": 1})"}) {
    settle(damaged);
    Ran ran = handle(state_, contents(core_));
    EXPECT_EQ(ran.ending(), "exit 0") << damaged;
    EXPECT_THAT(ran.err, HasSubstr("settings.json cannot be read (it is damaged): at most 100 crashes")) << damaged;
    EXPECT_EQ(ran.err, run(catch_words("show", state_)).err) << damaged;
    EXPECT_THAT(run(catch_words("list", state_)).out, HasSubstr("settings.json cannot be read")) << damaged;
    EXPECT_THAT(list(state_).at("settings_problem"), Not(Json(nullptr))) << damaged;
  }
  settle("{}");
  EXPECT_EQ(list(state_).at("settings_problem"), nullptr);
  EXPECT_EQ(run(catch_words("show", state_)).err, "");
}

// A handler that the kernel starts has nobody else to tell. A file stands in for the log, for the handler alone.
class CatchKernelLog : public CatchHandle {
 protected:
  // What the log got; nothing: it cannot be put in place.
  std::optional<std::string> log_of_handler(const std::string& folder) const {
    const std::string log = place_ / "kernel_log", pid = std::to_string(::getpid());
    write_file(log, "");
    Ran ran = run(catch_words("handle", folder, {pid}),
                  {.input = contents(core_), .in_child = [&] {
                     bool is_placed = ::unshare(CLONE_NEWNS) == 0 &&
                                      ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                                      ::mount(log.c_str(), "/dev/kmsg", nullptr, MS_BIND, nullptr) == 0;
                     if (!is_placed) ::_exit(9);
                   }});
    return ran.ending() == "exit 9" ? std::nullopt : std::optional(contents(log));
  }
};

TEST_F(CatchKernelLog, IsToldOfAFolderThatCannotBeMade) {
  write_file(place_ / "file", "");
  auto log = log_of_handler(place_ / "file/state");
  if (!log) GTEST_SKIP() << "no file can be mounted over /dev/kmsg";
  EXPECT_THAT(*log, ContainsRegex("^culprit: the crash of process [0-9]+ was not kept: cannot make the folder "
                                  ".*/file/state: Not a directory\n$"));
}

TEST_F(CatchKernelLog, IsToldOfDamagedSettings) {
  settle("no settings");
  auto log = log_of_handler(state_);
  if (!log) GTEST_SKIP() << "no file can be mounted over /dev/kmsg";
  EXPECT_THAT(*log, ContainsRegex("^culprit: .*/settings.json cannot be read \\(it is damaged\\): [^\n]*\n$"));
}

}  // namespace
}  // namespace culprit::test
