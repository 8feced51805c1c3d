// `culprit catch`: pages about crashes that the kernel hands over, one by one and many at a time.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>

#include "support/kernel_core.h"
#include "support/run_culprit.h"

namespace culprit::test {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Words catch_words(const std::string& verb, const std::string& folder, const Words& more = {}) {
  Words words{culprit_path(), "catch", verb, "--state", folder};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

Ran handle(const std::string& folder, const std::string& core) {
  return run(catch_words("handle", folder), {.input = core});
}

Json list(const std::string& folder) {
  Ran ran = run(catch_words("list", folder, {"--json"}));
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  return Json::parse(ran.out, nullptr, false);
}

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

// --- with the kernel ---

constexpr const char* pattern_file = "/proc/sys/kernel/core_pattern";

void set_pattern(const std::string& pattern) {
  int file = ::open(pattern_file, O_WRONLY | O_CLOEXEC);
  ASSERT_GE(file, 0);
  EXPECT_GT(::write(file, pattern.data(), pattern.size()), 0);
  ::close(file);
}

// The pattern is the whole machine's: one test at a time has it, and it is restored even if the test is killed.
class CatchInstalled : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::access(pattern_file, W_OK) != 0) GTEST_SKIP() << "the kernel's core_pattern cannot be written: not root";
    if (!may_leave_cores()) GTEST_SKIP() << "RLIMIT_CORE forbids cores";
    lock_ = ::open("/tmp/culprit-core-pattern.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ASSERT_EQ(::flock(lock_, LOCK_EX), 0);
    before_ = contents(pattern_file);
    ASSERT_EQ(::pipe2(guard_, O_CLOEXEC), 0);
    guardian_ = ::fork();
    if (guardian_ == 0) {
      char byte = 0;
      ::close(guard_[1]);
      ::setsid();
      while (::read(guard_[0], &byte, 1) > 0) {
      }
      int file = ::open(pattern_file, O_WRONLY | O_CLOEXEC);
      ::_exit(::write(file, before_.data(), before_.size()) > 0 ? 0 : 1);
    }
    ::close(guard_[0]);
  }
  void TearDown() override {
    if (guardian_ <= 0) return;
    ::close(guard_[1]);
    int status = 0;
    ::waitpid(guardian_, &status, 0);
    EXPECT_EQ(contents(pattern_file), before_);
    ::close(lock_);
  }

  void install(const Words& more = {}) {
    Ran ran = run(catch_words("install", state_, more));
    ASSERT_EQ(ran.ending(), "exit 0") << ran.err;
  }
  // All that were handed over are dealt with, as many as there must be.
  Json wait_for(size_t count) const {
    for (;; ::usleep(20'000)) {
      Json now = list(state_);
      size_t done = now.at("not_looked_at").get<size_t>();
      for (const Json& crash : now.at("crashes")) done += crash.at("finished").get<bool>() ? 1 : 0;
      if (done >= count) return now;
    }
  }

  TemporaryFolder place_;
  std::string state_ = place_ / "state", before_;
  int lock_ = -1, guard_[2] = {-1, -1};
  pid_t guardian_ = -1;
};

TEST_F(CatchInstalled, CatchesACrashAndRestoresThePattern) {
  install();
  EXPECT_THAT(contents(pattern_file), StartsWith("|" + culprit_path()));
  EXPECT_EQ(run(catch_words("install", state_)).ending(), "exit 2");
  Ran victim = run({program("full_handles")}, {.in_child = allow_core});
  EXPECT_EQ(victim.signal(), SIGABRT);
  Json crash = wait_for(1).at("crashes").at(0);
  Ran gone = run(catch_words("uninstall", state_));
  EXPECT_EQ(gone.ending(), "exit 0") << gone.err;
  EXPECT_EQ(contents(pattern_file), before_);
  EXPECT_EQ(crash.at("program"), "full_handles");
  Json page = Json::parse(run(catch_words("show", state_, {"--json"})).out, nullptr, false);
  EXPECT_EQ(page.at("cause"), "abort");
  EXPECT_GE(page.at("use").at("handles").at("count"), 64);
  EXPECT_TRUE(page.at("use").at("handles").at("full").get<bool>());
}

TEST_F(CatchInstalled, ProcessesOfOtherPidNamespacesAreFound) {
  if (tool("unshare").empty()) GTEST_SKIP() << "unshare is not installed";
  install();
  run({tool("unshare"), "--pid", "--fork", "/bin/sh", "-c", "\"$0\"; true", program("full_handles")},
      {.in_child = allow_core});
  Json crash = wait_for(1).at("crashes").at(0);
  run(catch_words("uninstall", state_));
  EXPECT_EQ(crash.at("program"), "full_handles");
  Json page = Json::parse(run(catch_words("show", state_, {"--json"})).out, nullptr, false);
  EXPECT_GE(page.at("use").at("handles").at("count"), 64);
}

// A stripped program in a root directory of its own, whose debug file is there and nowhere else.
TEST_F(CatchInstalled, DebugFilesOfAContainerAreTaken) {
  std::string objcopy = tool("objcopy"), strip = tool("strip"), readelf = tool("readelf");
  if (objcopy.empty() || strip.empty() || readelf.empty()) GTEST_SKIP() << "binutils are not installed";
  std::string root = place_ / "root", victim = program("crash_victim_static");
  std::string notes = run({readelf, "-n", victim}).out;
  constexpr std::string_view label = "Build ID: ";
  size_t at = notes.find(label);
  if (at == notes.npos) GTEST_SKIP() << "the compiler gives programs no build id";
  std::string id = notes.substr(at + label.size(), 40);
  std::string debug = root + "/usr/lib/debug/.build-id/" + id.substr(0, 2);
  std::filesystem::create_directories(debug);
  ASSERT_EQ(run({objcopy, "--only-keep-debug", victim, debug + "/" + id.substr(2) + ".debug"}).ending(), "exit 0");
  ASSERT_EQ(run({strip, "-o", root + "/victim", victim}).ending(), "exit 0");
  install();
  Ran ran = run({"/victim", "null_write"}, {.in_child = [&] {
                  allow_core();
                  if (::chroot(root.c_str()) != 0 || ::chdir("/") != 0) ::_exit(9);
                }});
  EXPECT_EQ(ran.signal(), SIGSEGV);
  wait_for(1);
  run(catch_words("uninstall", state_));
  Json page = Json::parse(run(catch_words("show", state_, {"--json"})).out, nullptr, false);
  EXPECT_EQ(page.at("cause"), "null_write");
  EXPECT_THAT(page.at("what").get<std::string>(), HasSubstr("`cart->total`"));
}

TEST_F(CatchInstalled, WhatSomebodyElseWroteMeanwhileStays) {
  install();
  set_pattern("core.somebody\n");
  Ran ran = run(catch_words("uninstall", state_));
  std::string left = contents(pattern_file);
  set_pattern(before_);
  EXPECT_EQ(ran.ending(), "exit 2");
  EXPECT_THAT(ran.err, HasSubstr("somebody has changed the kernel's core_pattern to \"core.somebody\""));
  EXPECT_EQ(left, "core.somebody\n");
}

TEST_F(CatchInstalled, TwentyAtOnceAreEachCaughtOrCounted) {
  install();
  run({"/bin/sh", "-c",
       "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do \"$0\" null_write & done; wait",
       program("crash_victim")},
      {.in_child = allow_core});
  Json all = wait_for(20);
  run(catch_words("uninstall", state_));
  EXPECT_EQ(all.at("crashes").size() + all.at("not_looked_at").get<size_t>(), 20);
  EXPECT_GE(all.at("crashes").size(), 1);
}

// The crash of a handler would otherwise start another one, and so on.
TEST_F(CatchInstalled, ACrashOfTheHandlerItselfStartsNoOther) {
  std::string pipe = place_ / "pipe", own = place_ / "own";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  install();
  int writer = ::open(pipe.c_str(), O_RDWR | O_CLOEXEC);
  Running handler({"/bin/sh", "-c", "exec \"$0\" catch handle --state \"$1\" < \"$2\"", culprit_path(), own, pipe},
                  {.in_child = allow_core});
  while (contents(own + "/1.partial/crash.json").empty()) ::usleep(1000);
  ::kill(handler.pid(), SIGSEGV);
  EXPECT_EQ(handler.wait().signal(), SIGSEGV);
  ::close(writer);
  // A later one is caught, and is the first.
  run({program("full_handles")}, {.in_child = allow_core});
  Json crashes = wait_for(1).at("crashes");
  run(catch_words("uninstall", state_));
  ASSERT_EQ(crashes.size(), 1);
  EXPECT_EQ(crashes.at(0).at("program"), "full_handles");
}

}  // namespace
}  // namespace culprit::test
