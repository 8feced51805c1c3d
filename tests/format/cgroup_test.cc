#include "format/cgroup.h"

#include <gtest/gtest.h>

namespace culprit {
namespace {

TEST(CgroupPath, IsThatOfTheControllerOrOfTheUnifiedHierarchy) {
  constexpr std::string_view both =
      "12:pids:/docker/ab\n"
      "4:cpu,cpuacct:/\n"
      "3:memory:/docker/ab\n"
      "0::/user.slice/a:b\n";
  EXPECT_EQ(cgroup_path(both, "memory"), "/docker/ab");
  EXPECT_EQ(cgroup_path(both, "cpuacct"), "/");
  EXPECT_EQ(cgroup_path(both, ""), "/user.slice/a:b");
  EXPECT_EQ(cgroup_path(both, "mem"), std::nullopt);
  EXPECT_EQ(cgroup_path("3:memory:/docker/ab\n", ""), std::nullopt);
  EXPECT_EQ(cgroup_path("", ""), std::nullopt);
}

TEST(CgroupNumber, OfNoLimitIsNone) {
  EXPECT_EQ(cgroup_number("1048576\n"), 1048576u);
  EXPECT_EQ(cgroup_number("0\n"), 0u);
  EXPECT_EQ(cgroup_number("max\n"), std::nullopt);
  EXPECT_EQ(cgroup_number("9223372036854771712\n"), std::nullopt);  // version 1
  EXPECT_EQ(cgroup_number(""), std::nullopt);
}

TEST(CgroupCounter, IsThatOfTheWholeWord) {
  constexpr std::string_view events = "low 0\noom 3\noom_kill 2\n";
  EXPECT_EQ(cgroup_counter(events, "oom_kill"), 2u);
  EXPECT_EQ(cgroup_counter(events, "oom"), 3u);
  EXPECT_EQ(cgroup_counter(events, "max"), std::nullopt);
  EXPECT_EQ(cgroup_counter("oom_kill many\n", "oom_kill"), std::nullopt);
}

}  // namespace
}  // namespace culprit
