// `culprit heap` on programs whose malloc is not the C library's, or whose C library is not in a file of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/ptrace.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "support/run_culprit.h"

namespace culprit::test {
namespace {

using ::testing::HasSubstr;

const std::string libraries = "/usr/lib/x86_64-linux-gnu/";

std::string pid_of(const Running& running) { return std::to_string(running.pid()); }

Json summary(const std::string& target) {
  Ran ran = run({culprit_path(), "heap", "--json", target});
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  return Json::parse(ran.out, nullptr, false);
}

// What needs to know its blocks.
void expect_refusals(const std::string& target, const std::string& allocator, const std::string& advice) {
  for (const Words& asked : {Words{"--unreachable"}, Words{"--by", "type"}, Words{"--list"}}) {
    Words words{culprit_path(), "heap", target};
    words.insert(words.end(), asked.begin(), asked.end());
    Ran ran = run(words);
    EXPECT_EQ(ran.ending(), "exit 2") << asked.front();
    EXPECT_THAT(ran.err, HasSubstr("malloc is served by " + allocator));
    EXPECT_THAT(ran.err, HasSubstr(advice));
    EXPECT_EQ(std::ranges::count(ran.err, '\n'), 1) << ran.err;
  }
}

constexpr auto can_be_recorded = "`culprit run --heap -- COMMAND` records who allocates them";
constexpr auto cannot_be_recorded = "`culprit run --heap` cannot record them";

struct Preload {
  std::string name, library;
};
class PreloadedAllocator : public ::testing::TestWithParam<Preload> {};
TEST_P(PreloadedAllocator, IsNamedLiveAndInACore) {
  const auto& [name, library] = GetParam();
  if (!std::filesystem::exists(libraries + library)) GTEST_SKIP() << library << " is not here";
  TemporaryFolder folder;
  Running running({program("heap_victim"), "one-arena", folder / "said"},
                  {.environment = {"LD_PRELOAD=" + libraries + library}});
  ASSERT_TRUE(wait_for_file(folder / "said"));
  const Json answer = summary(pid_of(running));
  EXPECT_EQ(answer["allocator"], name);
  EXPECT_TRUE(answer["arenas"].empty());
  EXPECT_GT(answer["memory"]["uses"].size(), 0u);
  EXPECT_TRUE(answer["exact"].get<bool>()) << answer["notes"].dump();
  expect_refusals(pid_of(running), name, can_be_recorded);
  if (tool("gdb").empty()) GTEST_SKIP() << "gdb, which has gcore, is not here";
  const std::string core = folder / "core";
  Ran gdb = run({tool("gdb"), "-nx", "-batch", "-p", pid_of(running), "-ex", "gcore " + core});
  ASSERT_EQ(gdb.ending(), "exit 0") << gdb.err;
  EXPECT_EQ(summary(core)["allocator"], name);
  expect_refusals(core, name, can_be_recorded);
}
INSTANTIATE_TEST_SUITE_P(Heap, PreloadedAllocator,
                         ::testing::Values(Preload{"jemalloc", "libjemalloc.so.2"},
                                           Preload{"tcmalloc", "libtcmalloc_minimal.so.4"},
                                           Preload{"mimalloc", "libmimalloc.so.2"}),
                         [](const auto& info) { return info.param.name; });

TEST(ForeignAllocator, IsToldWithoutStoppingTheProcess) {
  const std::string library = libraries + "libjemalloc.so.2";
  if (!std::filesystem::exists(library)) GTEST_SKIP() << library << " is not here";
  TemporaryFolder folder;
  Running running({program("heap_victim"), "one-arena", folder / "said"}, {.environment = {"LD_PRELOAD=" + library}});
  ASSERT_TRUE(wait_for_file(folder / "said"));
  // Nobody else can stop it now.
  ASSERT_EQ(ptrace(PTRACE_SEIZE, running.pid(), nullptr, nullptr), 0) << strerror(errno);
  expect_refusals(pid_of(running), "jemalloc", can_be_recorded);
}

// Allocates, frees, makes the file it is told, and stands still.
constexpr auto source = R"(
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
void *blocks[1000];
int main(int count, char **arguments) {
  for (int i = 0; i < 1000; ++i) blocks[i] = malloc(5000);
  for (int i = 0; i < 1000; i += 2) free(blocks[i]);
  fclose(fopen(arguments[1], "w"));
  for (;;) pause();
}
)";

struct Building {
  std::string name, compiler;
  Words flags;
  std::string needs, allocator;
  bool can_be_recorded = false;
};
class BuiltInAllocator : public ::testing::TestWithParam<Building> {};
TEST_P(BuiltInAllocator, IsNamed) {
  const Building& building = GetParam();
  if (tool(building.compiler).empty()) GTEST_SKIP() << building.compiler << " is not here";
  if (!building.needs.empty() && !std::filesystem::exists(building.needs))
    GTEST_SKIP() << building.needs << " is not here";
  TemporaryFolder folder;
  write_file(folder / "victim.c", source);
  Words words{tool(building.compiler), "-fno-builtin", "-s", folder / "victim.c", "-o", folder / "victim"};
  words.insert(words.end(), building.flags.begin(), building.flags.end());
  ASSERT_EQ(run(words).ending(), "exit 0");
  Running running({folder / "victim", folder / "made"});
  ASSERT_TRUE(wait_for_file(folder / "made"));
  EXPECT_EQ(summary(pid_of(running))["allocator"], building.allocator);
  expect_refusals(pid_of(running), building.allocator, building.can_be_recorded ? can_be_recorded : cannot_be_recorded);
}
const Words jemalloc_inside{libraries + "libjemalloc.a", "-lm", "-lstdc++", "-lpthread"};
const Words jemalloc_static{"-static", libraries + "libjemalloc.a", "-lm", "-lstdc++", "-lpthread"};
INSTANTIATE_TEST_SUITE_P(
    Heap, BuiltInAllocator,
    ::testing::Values(Building{"musl", "musl-gcc", {}, "", "musl"},
                      Building{"static_musl", "musl-gcc", {"-static"}, "", "musl"},
                      Building{"linked_jemalloc", "gcc", jemalloc_inside, jemalloc_inside.front(), "jemalloc", true},
                      Building{"static_jemalloc", "gcc", jemalloc_static, jemalloc_inside.front(), "jemalloc"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace culprit::test
