// `culprit run` as a person uses it: the demo, its options, and that the program does not notice.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "support/run_culprit.h"

namespace culprit::test {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr uint64_t rounds = 300;  // of leaky_handles

// The function to blame for a group, "" when there is none.
std::string blamed(const Json& group) {
  const Json& index = group.at("blamed");
  return index.is_null() ? "" : group.at("stack").at(index.get<size_t>()).at("function").get<std::string>();
}

TEST(Demo, BlamesTheFunctionThatForgets) {
  Watched watched = watch({program("leaky_handles")});
  ASSERT_EQ(watched.ran.ending(), "exit 0") << watched.ran.err;
  EXPECT_EQ(made_under(watched.report, "fun4"), (Made{rounds, 0, rounds}));
  EXPECT_EQ(made_under(watched.report, "fun3"), (Made{rounds, rounds, 0}));
  EXPECT_TRUE(watched.report.at("exact").get<bool>()) << watched.report.at("losses");
  ASSERT_EQ(watched.report.at("totals").at("leaking_groups"), 1);
  const Json& worst = watched.report.at("groups").at(0);
  EXPECT_THAT(blamed(worst), StartsWith("fun4"));
  EXPECT_EQ(worst.at("verdict"), "grows");
  EXPECT_EQ(worst.at("type"), "eventfd");
  const Json& frame = worst.at("stack").at(worst.at("blamed").get<size_t>());
  EXPECT_THAT(frame.at("file").get<std::string>(), HasSubstr("leaky_handles.cpp"));
  EXPECT_EQ(frame.at("line"), 22);
  EXPECT_GT(worst.at("rate").get<double>(), 0);
}

TEST(Demo, SaysItInWords) {
  Ran ran = run(under_culprit({}, {program("leaky_handles")}));
  EXPECT_EQ(ran.ending(), "exit 0");
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, HasSubstr("fun4"));
  EXPECT_THAT(ran.err, HasSubstr("leaky_handles.cpp:22"));
  EXPECT_THAT(ran.err, HasSubstr("int event = eventfd(0, EFD_CLOEXEC);"));  // the source excerpt
  EXPECT_THAT(ran.err, HasSubstr("0 of 300 closed"));
  EXPECT_THAT(ran.err, HasSubstr("/s"));
  EXPECT_THAT(ran.err, HasSubstr("limit"));
  EXPECT_THAT(ran.err, Not(HasSubstr("fun3")));
  EXPECT_THAT(ran.err, Not(HasSubstr("\x1b[")));  // no colours: this is no terminal
}

TEST(Demo, ReportsTheSameFromTheRecording) {
  TemporaryFolder folder;
  Watched watched = watch({program("leaky_handles")}, {}, {"-o", folder / "demo.culprit"});
  Ran again = run({culprit_path(), "handles", "--json", "--all", folder / "demo.culprit"});
  ASSERT_EQ(again.ending(), "exit 0") << again.err;
  Json report = Json::parse(again.out, nullptr, false);
  ASSERT_FALSE(report.is_discarded()) << again.out;
  for (const char* part : {"groups", "totals", "handles", "processes", "losses", "types", "exact"})
    EXPECT_EQ(report.at(part), watched.report.at(part)) << part;
  EXPECT_NE(access((folder / "demo.culprit").c_str(), F_OK), -1);
  EXPECT_EQ(access((folder / "demo.culprit.partial").c_str(), F_OK), -1);
}

TEST(Options, FailOnLeakEndsWithOne) {
  EXPECT_EQ(run(under_culprit({"--fail-on-leak"}, {program("leaky_handles")})).ending(), "exit 1");
  EXPECT_EQ(run(under_culprit({"--fail-on-leak"}, {"/bin/sh", "-c", "exit 3"})).ending(), "exit 3");
}

TEST(Options, SuppressionsSilenceAKnownLeakAndAreCounted) {
  TemporaryFolder folder;
  write_file(folder / "known", "[meant to be]\n...\nfun: fun4*\n\n[never happens]\nfun: no_such_function\n");
  Watched watched = watch({program("leaky_handles")}, {}, {"--fail-on-leak", "--suppressions", folder / "known"});
  EXPECT_EQ(watched.ran.ending(), "exit 0") << watched.ran.err;
  const Json& uses = watched.report.at("suppressions");
  ASSERT_EQ(uses.size(), 2u);
  EXPECT_EQ(uses[0].at("name"), "meant to be");
  EXPECT_EQ(uses[0].at("handles"), rounds);
  EXPECT_EQ(uses[1].at("handles"), 0);
  EXPECT_EQ(watched.report.at("totals").at("suppressed_handles"), rounds);
}

TEST(Options, AfterIgnoresWhatWasMadeDuringWarmUp) {
  Watched watched = watch({program("leaky_handles")}, {}, {"--after", "1s"});
  uint64_t late = made_under(watched.report, "fun4").outstanding;
  EXPECT_GT(late, 0u);
  EXPECT_LT(late, rounds);  // a second has no more than 200 rounds
  EXPECT_GT(watched.report.at("totals").at("before_window").get<uint64_t>(), 0u);
}

TEST(Options, ReportGoesToTheFileAndNowhereElse) {
  TemporaryFolder folder;
  Ran ran = run(under_culprit({"--report", folder / "report"}, {program("leaky_handles")}));
  EXPECT_EQ(ran.out + ran.err, "");
  EXPECT_THAT(contents(folder / "report"), HasSubstr("fun4"));
}

TEST(Options, TopLimitsTheGroups) {
  TemporaryFolder folder;
  Watched watched = watch({program("fork_tree"), folder / "done"}, {}, {"--top", "2"});
  EXPECT_EQ(watched.report.at("groups").size(), 2u);
  EXPECT_GT(watched.report.at("totals").at("groups_hidden").get<uint64_t>(), 0u);
}

TEST(Options, NoSourceLeavesTheExcerptOut) {
  Ran ran = run(under_culprit({"--no-source"}, {program("leaky_handles")}));
  EXPECT_THAT(ran.err, HasSubstr("fun4"));
  EXPECT_THAT(ran.err, Not(HasSubstr("int event = eventfd(0, EFD_CLOEXEC);")));
}

TEST(Options, ThatDoNotExistAreRefusedWithTwo) {
  Ran ran = run({culprit_path(), "run", "--no-such-option", "--", "/bin/true"});
  EXPECT_EQ(ran.ending(), "exit 2");
  EXPECT_THAT(ran.err, HasSubstr("--no-such-option"));
}

TEST(Options, WrappersSeeLibcsFunctionsAndSayWhatTheyCannotSee) {
  Watched watched = watch({program("leaky_handles")}, {}, {"--wrappers"});
  ASSERT_EQ(watched.ran.ending(), "exit 0") << watched.ran.err;
  EXPECT_EQ(made_under(watched.report, "fun4"), (Made{rounds, 0, rounds}));
  EXPECT_EQ(made_under(watched.report, "fun3"), (Made{rounds, rounds, 0}));
  const Json& process = watched.report.at("processes").at(0);
  EXPECT_EQ(process.at("sight"), "wrappers");
  EXPECT_THAT(process.at("sight_reason").get<std::string>(), HasSubstr("fopen"));
}

TEST(Command, NotFoundIs127AndOneSentence) {
  for (const char* name : {"no-such-command-anywhere", "/no/such/path"}) {
    Ran ran = run(under_culprit({}, {name}));
    EXPECT_EQ(ran.ending(), "exit 127");
    EXPECT_THAT(ran.err, HasSubstr(name));
    EXPECT_EQ(std::ranges::count(ran.err, '\n'), 1) << ran.err;
  }
}

TEST(Command, ThatCannotBeExecutedIs126) {
  TemporaryFolder folder;
  write_file(folder / "no_program", "just text\n");
  Ran ran = run(under_culprit({}, {folder / "no_program"}));
  EXPECT_EQ(ran.ending(), "exit 126");
  EXPECT_EQ(std::ranges::count(ran.err, '\n'), 1) << ran.err;
}

TEST(Command, KeepsItsStatusOutputAndInput) {
  for (int status : {0, 1, 2, 77, 255})
    EXPECT_EQ(run(under_culprit({}, {"/bin/sh", "-c", "exit " + std::to_string(status)})).exit_code(), status);
  RunOptions options;
  options.input = "through and through\n";
  Ran ran = run(under_culprit({"--report", "/dev/null"}, {"/bin/cat"}), options);
  EXPECT_EQ(ran.out, options.input);
  EXPECT_EQ(ran.err, "");
}

TEST(Command, EndsByTheSignalThatEndedTheProgram) {
  for (int signal : {SIGTERM, SIGKILL, SIGSEGV, SIGINT, SIGHUP}) {
    std::string script = "kill -" + std::to_string(signal) + " $$";
    EXPECT_EQ(run(under_culprit({"--report", "/dev/null"}, {"/bin/sh", "-c", script})).signal(), signal);
  }
}

// But for one word in /proc: where signals that make a core have their default action, a handler of the agent's waits
// for the look at the dying process, and the kernel tells of it (docs/decisions/0011). sigaction does not.
std::string without_core_signals_caught(std::string out) {
  constexpr uint64_t core_signals = 0x418004fc;
  constexpr std::string_view label = "SigCgt:\t";
  const size_t at = out.find(label);
  if (at == std::string::npos) return out;
  const uint64_t caught = std::stoull(out.substr(at + label.size(), 16), nullptr, 16) & ~core_signals;
  return out.replace(at + label.size(), 16, fmt::format("{:016x}", caught));
}

TEST(Command, SeesTheWorldItWouldSeeWithoutCulprit) {
  RunOptions options;
  options.own_group = false;  // process group and session numbers are compared, too
  options.environment = {"EMPTY=", "WITH=a=b", "LD_LIBRARY_PATH=/nowhere"};
  Words command{program("env_print"), "one", "", "t h r e e", "--top"};
  Ran native = run(command, options), watched = run(under_culprit({"--report", "/dev/null"}, command), options);
  EXPECT_EQ(native.exit_code(), 4);
  EXPECT_EQ(watched.ending(), native.ending());
  EXPECT_EQ(without_core_signals_caught(watched.out), native.out);
  EXPECT_EQ(watched.err, native.err);
}

TEST(Command, SeesBlockedAndIgnoredSignalsAndLimitsAsGiven) {
  RunOptions options;
  options.own_group = false;
  options.in_child = [] {
    ::signal(SIGINT, SIG_IGN), ::signal(SIGPIPE, SIG_IGN), ::signal(SIGCHLD, SIG_IGN);
    sigset_t blocked;
    sigemptyset(&blocked), sigaddset(&blocked, SIGUSR1), sigaddset(&blocked, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &blocked, nullptr);
    ::umask(0123);
    ::close(0);
  };
  Words command{program("env_print")};
  Ran native = run(command, options), watched = run(under_culprit({"--report", "/dev/null"}, command), options);
  EXPECT_EQ(watched.ending(), native.ending());
  EXPECT_EQ(without_core_signals_caught(watched.out), native.out);
}

TEST(Command, InterruptedFromTheTerminalStillGetsItsReport) {
  TemporaryFolder folder;
  Running running(under_culprit({}, {program("steady_worker"), "1000", folder / "ready", folder / "never"}));
  ASSERT_TRUE(wait_for_file(folder / "ready"));
  ::kill(-running.pid(), SIGINT);  // as Ctrl-C does: to the whole group
  Ran ran = running.wait();
  EXPECT_EQ(ran.signal(), SIGINT);
  EXPECT_THAT(ran.err, HasSubstr("2 open at the end"));
}

TEST(Command, KilledStillGetsItsReport) {
  Watched watched = watch({program("killed")});
  EXPECT_EQ(watched.ran.signal(), SIGKILL);
  EXPECT_EQ(watched.ran.out, "made ten\n");
  EXPECT_EQ(made_under(watched.report, "leak_before_death"), (Made{10, 0, 10}));
  EXPECT_EQ(watched.report.at("recording").at("end"), "killed");
}

}  // namespace
}  // namespace culprit::test
