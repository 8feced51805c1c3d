// What real programs do to themselves: fork, exec, threads, sandboxes, plugins. Each must run as it would alone, and be
// seen.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "support/run_culprit.h"

namespace culprit::test {
namespace {

using ::testing::HasSubstr;

// Runs the program alone and watched: same output, same status. Gives the report.
Json same_as_alone(const Words& command, const RunOptions& options = {}, const std::function<void()>& between = {}) {
  Ran alone = run(command, options);
  if (between) between();
  Watched watched = watch(command, options);
  EXPECT_EQ(watched.ran.ending(), alone.ending());
  EXPECT_EQ(watched.ran.out, alone.out);
  EXPECT_EQ(watched.ran.err, alone.err);
  return watched.report;
}

TEST(Processes, OfEveryOriginAreFollowed) {
  TemporaryFolder folder;
  Json report = same_as_alone({program("fork_tree"), folder / "done"}, {}, [&] { unlink((folder / "done").c_str()); });
  EXPECT_EQ(contents(folder / "done"), "done\n");
  const std::pair<const char*, uint64_t> leaks[] = {
      {"leak_in_parent", 2}, {"leak_in_fork", 3},  {"leak_in_vfork_exec", 4}, {"leak_in_spawn", 5},
      {"leak_in_system", 6}, {"leak_in_popen", 7}, {"leak_in_daemon", 8},     {"leak_in_sharing_clone", 9},
  };
  for (const auto& [function, count] : leaks)
    EXPECT_EQ(made_under(report, function), (Made{count, 0, count})) << function;
  EXPECT_EQ(loss(report, "process_not_followed"), 0u);
  // What the others inherited is not their leak: the launched process alone holds the nine of the clone that shared its
  // table.
  auto open = left_open(report, launched_pid(report));
  EXPECT_EQ(open.size(), 3u + 2 + 9);
}

TEST(Processes, OnTheMemoryOfTheirParentEndWithoutEndingWhatIsKnownOfIt) {
  Json report = same_as_alone({program("lent_memory"), "waits"});
  EXPECT_EQ(made_under(report, "made_before"), (Made{3, 0, 3}));
  EXPECT_EQ(made_under(report, "made_afterwards"), (Made{4, 0, 4}));
  // Those of the child, too; and for some back ends what the loader opened.
  EXPECT_GE(report.at("totals").at("created"), 3 + 5 + 4);
  EXPECT_TRUE(report.at("exact").get<bool>()) << report.at("losses").dump(1);
}

TEST(Processes, ThatRunOnItBesideTheirParentAreSaidNotToBeSeenByTheAgent) {
  if (back_end() != "agent") GTEST_SKIP() << "is about the agent";
  Json report = same_as_alone({program("lent_memory"), "beside"});
  EXPECT_EQ(made_under(report, "made_before"), (Made{3, 0, 3}));
  EXPECT_EQ(made_under(report, "made_afterwards"), (Made{4, 0, 4}));
  EXPECT_EQ(loss(report, "process_not_followed"), 1u);
  EXPECT_FALSE(report.at("exact").get<bool>());
}

TEST(Processes, KeepWhatExecKeepsAndLoseWhatItCloses) {
  Json report = same_as_alone({program("exec_clean_env")});
  EXPECT_EQ(made_under(report, "leak_before_exec"), (Made{10, 5, 5}));
  EXPECT_EQ(made_under(report, "leak_after_exec"), (Made{20, 0, 20}));
  uint64_t by_exec = 0;
  for (const Json& handle : report.at("handles")) by_exec += handle.at("how_closed") == "exec" ? 1 : 0;
  EXPECT_EQ(by_exec, 5u);
}

TEST(Processes, WithASanitizerThatWantsToComeFirstRunAsAlone) {
  Json report = same_as_alone({program("address_sanitized")});
  EXPECT_EQ(made_under(report, "main"), (Made{5, 0, 5}));
  same_as_alone({"/bin/sh", "-c", program("address_sanitized") + "; env | grep ASAN_OPTIONS; echo $?"});
}

TEST(Processes, OneHundredInAPipelineAreAllSeen) {
  std::string pipeline = "echo one hundred";
  for (int i = 0; i < 98; i++) pipeline += " | cat";
  Json report = same_as_alone({"/bin/sh", "-c", pipeline + " | tr a-z A-Z"});
  EXPECT_GE(report.at("processes").size(), 101u);
  EXPECT_EQ(loss(report, "process_not_followed"), 0u);
  EXPECT_EQ(loss(report, "vanished_handle"), 0u);
}

TEST(Threads, ThatEndOrAreCancelledLoseNoEvents) {
  Json report = same_as_alone({program("thread_exit")});
  EXPECT_EQ(made_under(report, "leak_of_thread"), (Made{50, 0, 50}));
  EXPECT_EQ(made_under(report, "leak_of_thread_local_destructor"), (Made{20, 0, 20}));
  EXPECT_EQ(made_under(report, "blocks_in_accept").created, 0u);
}

TEST(Threads, AreAllSeenHoweverManyThereAreAtOnce) {
  TemporaryFolder folder;
  Ran ran = run({culprit_path(), "run", "--heap", "--outstanding", "--json", "--report", folder / "report", "--",
                 program("many_threads")});
  ASSERT_EQ(ran.ending(), "exit 0") << ran.err;
  const Json report = Json::parse(contents(folder / "report"));
  uint64_t kept = 0;
  for (const Json& group : report.at("groups"))
    if (on_stack(group.at("stack"), "kept_by_thread")) kept += group.at("count").get<uint64_t>();
  EXPECT_EQ(kept, 1500u);
}

TEST(Threads, AreNoProcessesWhateverTheirMakerDoesToItsStack) {
  Json report = same_as_alone({program("stack_used_again")});
  EXPECT_EQ(report.at("processes").size(), 1u);
  EXPECT_EQ(made_under(report, "leak_of_thread"), (Made{100, 0, 100}));
}

TEST(Sandbox, OfTheProgramsOwnDoesNotKillIt) {
  for (const char* mode : {"plain", "no_futex_no_mmap"}) {
    Json report = same_as_alone({program("own_seccomp"), mode});
    Made leaks = made_under(report, "leak_in_cell"), files = made_under(report, "close_in_cell");
    EXPECT_EQ(leaks, (Made{51, 0, 51})) << mode;
    EXPECT_EQ(files, (Made{50, 50, 0})) << mode;
  }
}

TEST(Sandbox, ThatForbidsTheClockDoesNotKillItAndIsALossToTheAgent) {
  if (back_end() != "agent") GTEST_SKIP() << "is about the agent";
  for (const auto& [mode, leaks] : {std::pair<const char*, uint64_t>{"strict", 1}, {"no_clock", 2}}) {
    Json report = same_as_alone({program("own_seccomp"), mode});
    EXPECT_EQ(made_under(report, "leak_in_cell"), (Made{leaks, 0, leaks})) << mode;
    EXPECT_EQ(loss(report, "kernel_silent"), 1u) << mode;
    EXPECT_FALSE(report.at("exact").get<bool>()) << mode;
  }
}

TEST(Numbers, AreAllTheProgramsOwn) {
  RunOptions options;
  Json report = same_as_alone({program("high_numbers")}, options);
  EXPECT_GT(made_under(report, "take_all").outstanding, 0u);
  EXPECT_EQ(loss(report, "vanished_handle"), 0u);
  EXPECT_EQ(loss(report, "unknown_origin"), 0u);
}

TEST(Numbers, ClosedWholesaleDoNotTakeCulpritAlong) {
  Json report = same_as_alone({program("closes_everything")});
  EXPECT_EQ(made_under(report, "make_some"), (Made{30, 30, 0}));
  EXPECT_EQ(made_under(report, "leak_at_the_end"), (Made{11, 0, 11}));
}

TEST(Preload, AlreadyInUseStaysInForce) {
  RunOptions options;
  options.environment = {"LD_PRELOAD=" + program("libcounts_opens.so")};
  Words command{program("preload_in_use")};
  Ran alone = run(command, options);
  ASSERT_THAT(alone.err, HasSubstr("wrapped 24 opens"));
  Watched watched = watch({"/usr/bin/env", options.environment[0], command[0]});
  EXPECT_EQ(watched.ran.out, alone.out);
  EXPECT_EQ(watched.ran.err, alone.err);
  EXPECT_EQ(made_under(watched.report, "leak_through_wrapper"), (Made{12, 0, 12}));
}

TEST(Plugins, AtTheSameAddressAreToldApart) {
  Json report = same_as_alone({program("plugin_reuse"), program("libplugin_one.so"), program("libplugin_two.so")});
  EXPECT_EQ(made_under(report, "leak_in_plugin_one"), (Made{20, 0, 20}));
  EXPECT_EQ(made_under(report, "leak_in_plugin_two"), (Made{20, 0, 20}));
}

TEST(StaticProgram, RunsAndIsSaidToBeStatic) {
  Json report = same_as_alone({program("static_program")});
  ASSERT_EQ(report.at("processes").size(), 1u);
  EXPECT_EQ(report["processes"][0].at("sight"), "ptrace");
  EXPECT_THAT(report["processes"][0].at("sight_reason").get<std::string>(), HasSubstr("static"));
  EXPECT_TRUE(report.at("exact").get<bool>());
  Ran text = run(under_culprit({}, {program("static_program")}));
  EXPECT_THAT(text.err, HasSubstr("static"));
}

TEST(SetUserIdProgram, RunsAsItsOwnerWithoutTheAgent) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to make a set-user-id program of another user";
  TemporaryFolder folder;
  ASSERT_EQ(chmod(folder.path().c_str(), 0755), 0);
  std::string copy = folder / "env_print";
  std::filesystem::copy_file(program("env_print"), copy);
  ASSERT_EQ(chown(copy.c_str(), 65534, 65534), 0);
  ASSERT_EQ(chmod(copy.c_str(), 06755), 0);
  RunOptions options;
  options.own_group = false;
  Json report = same_as_alone({copy}, options);
  ASSERT_FALSE(report.at("processes").empty());
  EXPECT_NE(report["processes"][0].at("sight_reason"), "");
}

}  // namespace
}  // namespace culprit::test
