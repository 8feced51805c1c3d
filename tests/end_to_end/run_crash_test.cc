// `culprit run` on programs that die of a signal: the page comes first, and the program does not notice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "support/run_culprit.h"

namespace culprit::test {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class DeathWatch : public ::testing::TestWithParam<const char*> {};

// What the program prints, and how it ends.
TEST_P(DeathWatch, TheProgramSeesNothingOfIt) {
  Ran alone = run({program("death_watch"), GetParam()});
  for (const Words& options : {Words{"--via", "agent"}, Words{"--via", "ptrace"}, Words{"--heap"}}) {
    SCOPED_TRACE(options.back());
    Ran watched = run(under_culprit(options, {program("death_watch"), GetParam()}));
    EXPECT_EQ(watched.out, alone.out);
    EXPECT_EQ(watched.ending(), alone.ending());
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, DeathWatch,
                         ::testing::Values("plain", "recovers", "sees_defaults", "hands_on", "child", "vfork_child",
                                           "spawned", "two_threads", "sandboxed", "blocked", "leader", "abort", "deep",
                                           "deep_thread", "signal_stacks", "own_signal_stack", "handler_on_stack",
                                           "many_threads"),
                         [](const auto& info) { return std::string(info.param); });

size_t pages_of(const char* way, const Words& options = {}) {
  Watched watched = watch({program("death_watch"), way}, {}, options);
  if (!watched.report.contains("crashes")) return 0;
  return watched.report.at("crashes").at("pages").size();
}

TEST(RunCrash, ChildrenHavePagesToo) {
  EXPECT_EQ(pages_of("child"), 1);
  EXPECT_EQ(pages_of("spawned"), 1);
  EXPECT_EQ(pages_of("leader"), 1);
  EXPECT_EQ(pages_of("vfork_child"), 1);
  EXPECT_EQ(pages_of("child", {"--via", "ptrace"}), 1);
}

// Where nothing of culprit can run in the process, a tracer looks.
TEST(RunCrash, ATracerSeesAlsoWhatEndsAtOnce) {
  for (const char* way : {"blocked", "sandboxed", "two_threads"})
    EXPECT_EQ(pages_of(way, {"--via", "ptrace"}), 1) << way;
}

TEST(RunCrash, AProcessHasOnePageHoweverManyOfItsThreadsDie) {
  EXPECT_EQ(pages_of("two_threads"), 1);
  EXPECT_EQ(pages_of("hands_on"), 1);
  EXPECT_EQ(pages_of("recovers"), 0);
}

// Where no room is left on the thread's own stack, and the program has no other.
TEST(RunCrash, ThreadsWithoutStackHavePagesToo) {
  for (const char* way : {"deep", "deep_thread"}) EXPECT_EQ(pages_of(way), 1) << way;
}

TEST(RunCrash, ThePageComesBeforeTheLeaks) {
  Ran ran = run(under_culprit({}, {program("death_watch"), "plain"}));
  EXPECT_EQ(ran.signal(), SIGSEGV);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, StartsWith("Wrote through a null pointer"));
  EXPECT_THAT(ran.err, HasSubstr("crash_here"));
  EXPECT_LT(ran.err.find("Wrote through a null pointer"), ran.err.find("handles made"));
}

TEST(RunCrash, WithAHeapRecordingAsWell) {
  Ran ran = run(under_culprit({"--heap"}, {program("death_watch"), "abort"}));
  EXPECT_EQ(ran.signal(), SIGABRT);
  EXPECT_THAT(ran.err, HasSubstr("SIGABRT"));
}

TEST(RunCrash, EqualCrashesAreToldOnce) {
  Ran ran = run(under_culprit({}, {"/bin/sh", "-c", "\"$0\" plain; \"$0\" plain; exit 0", program("death_watch")}));
  EXPECT_EQ(ran.ending(), "exit 0");
  EXPECT_THAT(ran.err, ContainsRegex("death_watch \\([0-9]+\\) crashed as death_watch \\([0-9]+\\) did"));
  EXPECT_EQ(ran.err.find("Registers and code"), ran.err.rfind("Registers and code"));
}

TEST(RunCrash, WithoutAPageSaysWhy) {
  Ran ran = run(under_culprit({}, {program("death_watch"), "blocked"}));
  EXPECT_EQ(ran.signal(), SIGSEGV);
  EXPECT_THAT(ran.err, ContainsRegex("process [0-9]+ crashed, and has no page: nothing of culprit could run in it"));
}

TEST(RunCrash, NamesWhoTookAllHandles) {
  Watched watched = watch({program("full_handles")});
  const Json& page = watched.report.at("crashes").at("pages").at(0);
  const Json& handles = page.at("use").at("handles");
  EXPECT_EQ(handles.at("limit"), 64);
  EXPECT_GE(handles.at("count"), 64);
  EXPECT_TRUE(handles.at("full").get<bool>());
  EXPECT_GE(handles.at("types").at("eventfd").get<int>(), 50);
  EXPECT_THAT(handles.at("maker").get<std::string>(), ContainsRegex("take_one.* at full_handles.cc:8"));
  EXPECT_GT(page.at("use").at("memory").at("resident").get<uint64_t>(), 0);
  // Its own, and not what it shares with culprit.
  EXPECT_LT(page.at("use").at("memory").at("address_space").get<uint64_t>(), uint64_t{1} << 30);
  EXPECT_GE(page.at("use").at("uptime").at("process").get<double>(), 0);
  EXPECT_GT(page.at("use").at("uptime").at("machine"), page.at("use").at("uptime").at("process"));
  Ran ran = run(under_culprit({}, {program("full_handles")}));
  EXPECT_THAT(ran.err, HasSubstr("EMFILE likely: "));
}

}  // namespace
}  // namespace culprit::test
