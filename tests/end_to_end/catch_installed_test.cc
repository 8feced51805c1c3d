// `culprit catch` as the kernel calls it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "end_to_end/catch_place.h"

namespace culprit::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST_F(CatchInstalled, CatchesACrashAndRestoresThePattern) {
  install();
  EXPECT_THAT(contents(pattern_file), StartsWith("|" + culprit_path()));
  Ran victim = run({program("full_handles")}, {.in_child = allow_core});
  EXPECT_EQ(victim.signal(), SIGABRT);
  Json crash = wait_for(1).at("crashes").at(0);
  Ran gone = run(catch_words("uninstall", state_));
  EXPECT_EQ(gone.ending(), "exit 0") << gone.err;
  EXPECT_EQ(contents(pattern_file), before_);
  EXPECT_EQ(crash.at("program"), "full_handles");
  Json page = Json::parse(run(catch_words("show", state_, {"--json"})).out, nullptr, false);
  EXPECT_EQ(page.at("cause"), "abort");
  EXPECT_EQ(page.at("host_pid"), nullptr);
  EXPECT_GE(page.at("use").at("handles").at("count"), 64);
  EXPECT_TRUE(page.at("use").at("handles").at("full").get<bool>());
}

// The core has the namespace's number, the kernel tells the handler the machine's.
TEST_F(CatchInstalled, TheFirstProcessOfAPidNamespaceHasBothItsNumbers) {
  if (tool("unshare").empty()) GTEST_SKIP() << "unshare is not installed";
  install();
  run({tool("unshare"), "--pid", "--fork", program("full_handles")}, {.in_child = allow_core});
  // unshare itself ends as its child did, which may be a second crash.
  Json crash = wait_for_crash_of("full_handles");
  run(catch_words("uninstall", state_));
  const std::string number = std::to_string(crash.at("number").get<int>());
  EXPECT_GT(crash.at("pid"), 1);
  Json page = Json::parse(run(catch_words("show", state_, {number, "--json"})).out, nullptr, false);
  EXPECT_EQ(page.at("pid"), 1);
  EXPECT_EQ(page.at("host_pid"), crash.at("pid"));
  EXPECT_THAT(
      run(catch_words("show", state_, {number})).out,
      HasSubstr(std::to_string(crash.at("pid").get<int>()) + " on the host, 1 in its pid namespace, 1 thread\n"));
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

// The kernel still has the file of a program that was deleted, or that an update has put another one in the place of.
TEST_F(CatchInstalled, AProgramWhoseFileIsGoneHasNames) {
  install({"--cores"});
  for (bool is_replaced : {false, true}) {
    std::string victim = place_ / "victim", other = place_ / "other";
    std::filesystem::copy_file(program("gone_program"), victim);
    std::filesystem::copy_file(program("full_handles"), other, std::filesystem::copy_options::overwrite_existing);
    Ran ran = run(is_replaced ? Words{victim, other} : Words{victim}, {.in_child = allow_core});
    ASSERT_EQ(ran.signal(), SIGSEGV);
    wait_for(is_replaced ? 2 : 1);
    Json page = Json::parse(run(catch_words("show", state_, {"--json"})).out, nullptr, false);
    EXPECT_EQ(page.at("cause"), "null_write");
    EXPECT_EQ(page.at("missing_modules"), Json::array());
    EXPECT_EQ(page.at("stack").at(0).at("function"), "Till::add(Bill*, long)");
    EXPECT_EQ(page.at("stack").at(0).at("module"), victim);
    // And afterwards, when nothing is left of it.
    std::string core = state_ + (is_replaced ? "/2/core" : "/1/core");
    Json small = Json::parse(run({culprit_path(), "crash", core, "--json"}).out, nullptr, false);
    EXPECT_EQ(small.at("sentence"), page.at("sentence"));
    EXPECT_EQ(small.at("stack"), page.at("stack"));
  }
  run(catch_words("uninstall", state_));
}

// As a tool does that sets up machines.
TEST_F(CatchInstalled, IsInstalledAgainWithOtherSettings) {
  install();
  Ran again = run(catch_words("install", state_, {"--keep", "7"}));
  EXPECT_EQ(again.ending(), "exit 0") << again.err;
  EXPECT_THAT(again.out, HasSubstr("at most 7 crashes"));
  EXPECT_THAT(again.out,
              HasSubstr("before, the kernel's core_pattern was \"" + before_.substr(0, before_.size() - 1) + "\""));
  // In another folder, which takes over what is known.
  std::string other = place_ / "other";
  EXPECT_EQ(run(catch_words("install", other)).ending(), "exit 0");
  Ran not_this = run(catch_words("uninstall", state_));
  EXPECT_EQ(not_this.ending(), "exit 2");
  EXPECT_THAT(not_this.err, HasSubstr("culprit catch uninstall --state " + other));
  EXPECT_EQ(run(catch_words("uninstall", other)).ending(), "exit 0");
  EXPECT_EQ(contents(pattern_file), before_);
}

// Whoever cleans up /var/lib takes the former pattern with it.
TEST_F(CatchInstalled, CanBeTakenOutWhenItsFolderIsGone) {
  install();
  std::filesystem::remove_all(state_);
  Ran gone = run(catch_words("uninstall", state_));
  std::string left = contents(pattern_file);
  EXPECT_EQ(gone.ending(), "exit 0") << gone.err;
  EXPECT_THAT(gone.out, HasSubstr("what it was before is not known, as " + state_ + "/former_pattern is not there"));
  EXPECT_EQ(left, "core\n");
  EXPECT_FALSE(std::filesystem::exists(state_));
}

TEST_F(CatchInstalled, OwnLineIsNotTakenForTheFormerOne) {
  install();
  std::filesystem::remove_all(state_);
  Ran again = run(catch_words("install", state_));
  EXPECT_EQ(again.ending(), "exit 0") << again.err;
  EXPECT_THAT(again.out, HasSubstr("what the kernel's core_pattern was before is not known"));
  EXPECT_EQ(list(state_).at("former_core_pattern"), nullptr);
  EXPECT_EQ(run(catch_words("uninstall", state_)).ending(), "exit 0");
  EXPECT_EQ(contents(pattern_file), "core\n");
}

TEST_F(CatchInstalled, DamagedSettingsAreToldWhenItIsTakenOut) {
  install();
  write_file(state_ + "/settings.json", "{");
  Ran gone = run(catch_words("uninstall", state_));
  EXPECT_EQ(gone.ending(), "exit 0");
  EXPECT_THAT(gone.err, HasSubstr("settings.json cannot be read (it is damaged)"));
  EXPECT_EQ(contents(pattern_file), before_);
}

TEST_F(CatchInstalled, ARefusedInstallLeavesNoFolder) {
  std::string folder = place_ / "with blank";
  EXPECT_EQ(run(catch_words("install", folder)).ending(), "exit 2");
  EXPECT_FALSE(std::filesystem::exists(folder));
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
