// Handles that go from process to process, from program to program, and outlive nothing but what they should.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "support/run_culprit.h"

namespace culprit::test {
namespace {

const Json* group_under(const Json& report, std::string_view function) {
  for (const Json& group : report.at("groups")) {
    if (on_stack(group.at("stack"), function)) return &group;
  }
  return nullptr;
}

TEST(TravellingHandles, AmongThreeProcessesHaveEachTheirOwnStack) {
  Watched watched = watch({program("travelling_handles"), "pass"});
  ASSERT_EQ(watched.ran.ending(), "exit 0") << watched.ran.err;
  const Json& report = watched.report;
  EXPECT_EQ(partial_losses(report), 0u) << report.at("losses");
  EXPECT_EQ(made_under(report, "make_in_first"), (Made{4, 3, 1}));
  EXPECT_EQ(made_under(report, "receive_in_second"), (Made{3, 2, 1}));
  EXPECT_EQ(made_under(report, "receive_in_third"), (Made{3, 1, 2}));
  EXPECT_EQ(made_under(report, "fetch_in_third"), (Made{1, 0, 1}));
  for (const char* function : {"receive_in_second", "receive_in_third", "fetch_in_third"}) {
    const Json* group = group_under(report, function);
    ASSERT_NE(group, nullptr) << function;
    EXPECT_EQ(group->at("how_created"), "receive") << function;
    EXPECT_NE(group->at("owning")[0].at("pid"), launched_pid(report)) << function;
  }
  EXPECT_EQ(loss(report, "unknown_origin"), 0u);
  EXPECT_EQ(loss(report, "vanished_handle"), 0u);
}

TEST(TravellingHandles, AlongAChainOfProgramsAreKeptOrClosedByExec) {
  Watched watched = watch({program("travelling_handles"), "chain", "5"});
  ASSERT_EQ(watched.ran.ending(), "exit 0") << watched.ran.err;
  EXPECT_EQ(made_under(watched.report, "kept_by_exec"), (Made{5, 0, 5}));
  EXPECT_EQ(made_under(watched.report, "closed_by_exec"), (Made{5, 5, 0}));
  const Json* closed = group_under(watched.report, "closed_by_exec");
  ASSERT_NE(closed, nullptr);
  EXPECT_EQ(closed->at("closed_by"), (Json{{"exec", 5}}));
  EXPECT_EQ(left_open(watched.report, launched_pid(watched.report)).size(), 3u + 5);
}

TEST(TravellingHandles, OfTwoLivesOfOnePidAreToldApart) {
  Watched watched = watch({program("travelling_handles"), "lives"});
  ASSERT_EQ(watched.ran.ending(), "exit 0") << watched.ran.err;
  if (watched.ran.out == "not reused\n") GTEST_SKIP() << "needs the right to choose the next pid (root), and a try";
  const pid_t pid = std::stoi(watched.ran.out);
  std::vector<uint64_t> made;
  for (const Json& process : watched.report.at("processes")) {
    if (process.at("pid") == pid) made.push_back(process.at("created"));
  }
  EXPECT_EQ(made, (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(made_under(watched.report, "leak_in_second_life").created % 2, 0u);
}

// As in a container: the program lies where only its own mount namespace has it.
TEST(TravellingHandles, OfAProgramInItsOwnMountNamespaceKeepTheirLines) {
  TemporaryFolder folder;
  const std::string inside = folder.path() + "/inside", copy = inside + "/leaky";
  std::filesystem::create_directory(inside);
  if (run({"unshare", "--mount", "true"}).ending() != "exit 0")
    GTEST_SKIP() << "needs the right to make a mount namespace (root)";
  const std::string script =
      "mount -t tmpfs none " + inside + " && cp " + program("leaky_handles") + " " + copy + " && exec " + copy;
  Watched watched = watch({"unshare", "--mount", "sh", "-c", script});
  ASSERT_EQ(watched.ran.ending(), "exit 0") << watched.ran.err;
  ASSERT_FALSE(std::filesystem::exists(copy));
  const Json* group = nullptr;
  for (const Json& candidate : watched.report.at("groups")) {
    if (candidate.at("type") == "eventfd" && candidate.at("count") == 300) group = &candidate;
  }
  ASSERT_NE(group, nullptr);
  EXPECT_FALSE(group->at("truncated").get<bool>());
  const Json& frame = group->at("stack").at(group->at("blamed").get<size_t>());
  EXPECT_EQ(frame.at("module"), copy);
  EXPECT_GE(group->at("stack").size(), 4u);
}

}  // namespace
}  // namespace culprit::test
