// `culprit locks` on programs that are stuck in a known way, live, stripped, and as cores of the same moment.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <sstream>

#include "shell/lock_question.h"
#include "support/run_culprit.h"
#include "view/lock_words.h"

namespace culprit::test {
namespace {

using ::testing::AnyOf;
using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

// A program of tests/programs that stands where its mode says.
struct Stuck {
  explicit Stuck(const std::string& mode, const std::string& path = program("locks_stuck"))
      : running({path, mode, folder / "ready"}) {
    EXPECT_TRUE(wait_for_file(folder / "ready")) << mode;
  }
  std::string pid() const { return std::to_string(running.pid()); }

  TemporaryFolder folder;
  Running running;
};

Json ask(const Words& options) {
  Words words{culprit_path(), "locks", "--json"};
  words.insert(words.end(), options.begin(), options.end());
  Ran ran = run(words);
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  return Json::parse(ran.out, nullptr, false);
}

// "deadlock: worker_a holds g_mutex1 waits g_mutex2; …": what must be the same however a target is looked at.
std::string told(const Json& verdict) {
  std::string words = verdict.at("verdict").get<std::string>() + ":";
  for (const Json& step : verdict.at("steps")) {
    words += " " + step.at("thread").at("name").get<std::string>();
    for (const char* field : {"holds", "waits_for"})
      if (step.at(field).is_string()) words += std::string(" ") + field + " " + step.at(field).get<std::string>();
    words += ";";
  }
  return words;
}
std::vector<std::string> verdicts(const Json& answer) {
  std::vector<std::string> all;
  for (const Json& verdict : answer.at("verdicts")) all.push_back(told(verdict));
  return all;
}
std::string first_verdict(const Json& answer) {
  return answer.at("verdicts").empty() ? "none" : answer.at("verdicts").at(0).at("verdict").get<std::string>();
}
std::set<std::string> threads_of(const Json& verdict) {
  std::set<std::string> names;
  for (const Json& step : verdict.at("steps")) names.insert(step.at("thread").at("name"));
  return names;
}

TEST(Locks, TellTheCycleOfTwoMutexesByTheirNames) {
  Stuck stuck("mutexes");
  Json answer = ask({stuck.pid()});
  ASSERT_EQ(answer.at("verdicts").size(), 1u) << answer.dump(1);
  EXPECT_THAT(told(answer.at("verdicts").at(0)), HasSubstr("worker_a holds mutex g_mutex1 waits_for mutex g_mutex2;"));
  EXPECT_THAT(told(answer.at("verdicts").at(0)), HasSubstr("worker_b holds mutex g_mutex2 waits_for mutex g_mutex1;"));
  EXPECT_EQ(answer.at("verdicts").at(0).at("behind").at(0).at("name"), "behind");
  EXPECT_EQ(answer.at("cycles").size(), 1u);
  EXPECT_EQ(answer.at("longest_stop"), 0);
}

class DeadlockOf : public ::testing::TestWithParam<const char*> {};
TEST_P(DeadlockOf, TwoThreadsIsTold) {
  Stuck stuck(GetParam());
  Json answer = ask({stuck.pid()});
  ASSERT_EQ(first_verdict(answer), "deadlock") << answer.dump(1);
  EXPECT_EQ(answer.at("verdicts").at(0).at("steps").size(), 2u);
}
INSTANTIATE_TEST_SUITE_P(Locks, DeadlockOf,
                         ::testing::Values("mutexes", "recursive", "shared", "error_checking", "adaptive", "robust",
                                           "inheriting", "mixed", "join_holding", "stream", "static_guard", "once"),
                         [](const auto& info) { return std::string(info.param); });

TEST(Locks, TellARingOfFivePhilosophers) {
  Stuck stuck("philosophers");
  Json answer = ask({stuck.pid()});
  ASSERT_EQ(first_verdict(answer), "deadlock");
  EXPECT_THAT(threads_of(answer.at("verdicts").at(0)), UnorderedElementsAre("plato", "kant", "hume", "mill", "marx"));
  EXPECT_EQ(answer.at("verdicts").size(), 1u);
}

TEST(Locks, TellAThreadThatWaitsForItself) {
  Stuck stuck("self");
  Json answer = ask({stuck.pid()});
  EXPECT_THAT(verdicts(answer), ElementsAre("self_deadlock: selfish holds mutex g_posix1 waits_for mutex g_posix1;"));
}

TEST(Locks, TellACycleThatWillTimeOut) {
  Stuck stuck("timed");
  Json answer = ask({stuck.pid()});
  ASSERT_EQ(first_verdict(answer), "will_time_out") << answer.dump(1);
  const double left = answer.at("verdicts").at(0).at("seconds_left");
  EXPECT_GT(left, 3000);
  EXPECT_LE(left, 5000);
}

TEST(Locks, TellAnOwnerThatIsGone) {
  Stuck stuck("orphan");
  Json answer = ask({stuck.pid()});
  ASSERT_EQ(answer.at("verdicts").size(), 1u) << answer.dump(1);
  EXPECT_EQ(first_verdict(answer), "owner_gone");
  EXPECT_EQ(answer.at("verdicts").at(0).at("behind").size(), 2u);
  Stuck writer("gone_writer");
  EXPECT_EQ(first_verdict(ask({writer.pid()})), "owner_gone");
}

TEST(Locks, TellAChainAndWhatItsLastOwnerWaitsFor) {
  Stuck stuck("chain");
  Json answer = ask({stuck.pid()});
  ASSERT_EQ(answer.at("verdicts").size(), 1u) << answer.dump(1);
  EXPECT_THAT(told(answer.at("verdicts").at(0)),
              HasSubstr("waiting_for_one: first waits_for mutex g_mutex2; middle holds mutex g_mutex2 waits_for mutex "
                        "g_mutex1; last holds mutex g_mutex1 waits_for condition variable "));
  EXPECT_EQ(answer.at("verdicts").at(0).at("behind").size(), 2u);
}

struct Owner {
  const char* mode;
  const char* doing;  // as it begins
};
class ChainEndsWith : public ::testing::TestWithParam<Owner> {};
TEST_P(ChainEndsWith, WhatTheLastOwnerDoes) {
  Stuck stuck(GetParam().mode);
  Json answer = ask({stuck.pid()});
  ASSERT_EQ(answer.at("verdicts").size(), 1u) << answer.dump(1);
  EXPECT_THAT(told(answer.at("verdicts").at(0)),
              HasSubstr("waiting_for_one: waiting waits_for mutex g_mutex1; owner holds mutex g_mutex1"));
  EXPECT_THAT(answer.at("verdicts").at(0).at("steps").at(1).at("doing"), MatchesRegex(GetParam().doing));
  std::string text = run({culprit_path(), "locks", stuck.pid()}).out;
  std::ranges::replace(text, '\n', ' ');
  EXPECT_THAT(text, ContainsRegex(std::string("\"owner\" .* and +") + GetParam().doing));
}
INSTANTIATE_TEST_SUITE_P(
    Locks, ChainEndsWith,
    ::testing::Values(Owner{"owner_reads", "has waited for .* in read_what_never_comes .* for pipe [0-9]+ to read it"},
                      Owner{"owner_sleeps", "sleeps in .*"}, Owner{"owner_runs", "runs in .*"}),
    [](const auto& info) { return std::string(info.param.mode); });

TEST(Locks, CallACycleThroughReadersPossibleOnly) {
  for (const char* mode : {"readers", "two_readers"}) {
    Stuck stuck(mode);
    Json answer = ask({stuck.pid()});
    EXPECT_EQ(first_verdict(answer), "possible_cycle") << mode << answer.dump(1);
    EXPECT_EQ(answer.at("verdicts").at(0).at("steps").size(), 2u);
  }
}

TEST(Locks, OfWaitsWithoutOwnerAreNoVerdict) {
  Stuck stuck("healthy_waits");
  Json answer = ask({stuck.pid()});
  std::multiset<std::string> kinds;
  for (const Json& wait : answer.at("waits"))
    kinds.insert(answer.at("locks").at(wait.at("lock").get<size_t>()).at("kind"));
  EXPECT_EQ(kinds.count("condition"), 2u) << answer.dump(1);
  EXPECT_EQ(kinds.count("semaphore"), 1u);
  EXPECT_EQ(kinds.count("thread_end"), 1u);
  EXPECT_EQ(first_verdict(answer), "none");
}

TEST(Locks, OfAStrippedProgramAreToldByAddress) {
  if (tool("strip").empty()) GTEST_SKIP() << "strip is not installed";
  TemporaryFolder folder;
  ASSERT_EQ(run({tool("strip"), "-o", folder / "bare", program("locks_stuck")}).ending(), "exit 0");
  Stuck stuck("mutexes", folder / "bare");
  Json answer = ask({stuck.pid()});
  ASSERT_EQ(first_verdict(answer), "deadlock");
  EXPECT_THAT(threads_of(answer.at("verdicts").at(0)), UnorderedElementsAre("worker_a", "worker_b"));
}

// The line of a source file that a place names.
std::string source_line(const Json& place) {
  std::istringstream source(contents(place.at("file").get<std::string>()));
  std::string line;
  for (uint32_t number = place.at("line"); number > 0; number--) std::getline(source, line);
  return line;
}

TEST(Locks, TellWhereTheyWereTakenByWhatSpeaksForIt) {
  Stuck stuck("guards");
  Json answer = ask({stuck.pid()});
  ASSERT_EQ(first_verdict(answer), "deadlock") << answer.dump(1);
  for (const Json& lock : answer.at("locks")) {
    const std::string owner = lock.at("owner").at("name");
    ASSERT_TRUE(lock.at("taken").is_object()) << owner << answer.dump(1);
    EXPECT_THAT(lock.at("taken").at("function").get<std::string>(), HasSubstr(owner + "("));
    EXPECT_EQ(lock.at("taken").at("evidence"), owner == "by_name" ? "code" : "pointer");
    EXPECT_THAT(source_line(lock.at("taken")), HasSubstr("where " + owner + " takes it"));
  }
  EXPECT_THAT(run({culprit_path(), "locks", stuck.pid()}).out, HasSubstr("probably taken in by_name"));
}

TEST(Locks, DoNotTellAPlaceThatNothingSpeaksFor) {
  Stuck stuck("mutexes");  // taken by functions that have returned
  for (const Json& lock : ask({stuck.pid()}).at("locks")) EXPECT_EQ(lock.at("taken"), nullptr) << lock.dump(1);
}

TEST(Locks, TellHowLongAThreadHasWaitedAtLeast) {
  const auto began = std::chrono::steady_clock::now();
  Stuck stuck("mutexes");
  auto waited = [&] {
    Json answer = ask({stuck.pid()});
    const Json& step = answer.at("verdicts").at(0).at("steps").at(0);
    return answer.at("waits").at(step.at("wait").get<size_t>()).at("seconds_waited");
  };
  Json first = waited();
  if (first.is_null()) GTEST_SKIP() << "/proc/PID/task/TID/sched does not say when a thread ran last";
  for (Json now = first; now.get<double>() < first.get<double>() + 0.1; now = waited()) {
    const std::chrono::duration<double> lived = std::chrono::steady_clock::now() - began;
    ASSERT_GE(now, first);
    ASSERT_LE(now.get<double>(), lived.count());
  }
}

class CoreOf : public ::testing::TestWithParam<const char*> {};
TEST_P(CoreOf, TheSameMomentGivesTheSameVerdicts) {
  if (tool("gcore").empty()) GTEST_SKIP() << "gcore is not installed";
  Stuck stuck(GetParam());
  Json live = ask({stuck.pid()});
  const std::string core = stuck.folder / "core";
  ASSERT_EQ(run({tool("gcore"), "-o", core, stuck.pid()}).ending(), "exit 0");
  Json dead = ask({core + "." + stuck.pid()});
  ASSERT_EQ(live.at("verdicts").size(), dead.at("verdicts").size()) << dead.dump(1);
  for (size_t verdict = 0; verdict < live.at("verdicts").size(); verdict++) {
    const Json &one = live.at("verdicts").at(verdict), &other = dead.at("verdicts").at(verdict);
    EXPECT_EQ(one.at("verdict"), other.at("verdict"));
    EXPECT_EQ(live.at("locks").at(0).at("taken"), dead.at("locks").at(0).at("taken"));
    ASSERT_EQ(one.at("steps").size(), other.at("steps").size());
    // A core may not have the threads' names.
    for (size_t step = 0; step < one.at("steps").size(); step++) {
      EXPECT_EQ(one.at("steps").at(step).at("thread").at("tid"), other.at("steps").at(step).at("thread").at("tid"));
      EXPECT_EQ(one.at("steps").at(step).at("holds"), other.at("steps").at(step).at("holds"));
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Locks, CoreOf,
                         ::testing::Values("mutexes", "guards", "shared", "robust", "philosophers", "self", "orphan",
                                           "chain", "readers", "stream"),
                         [](const auto& info) { return std::string(info.param); });

// gcore writes what it knows of threads behind all memory.
TEST(Locks, OfACoreWithoutThreadsAreNoVerdict) {
  if (tool("gcore").empty()) GTEST_SKIP() << "gcore is not installed";
  Stuck stuck("mutexes");
  ASSERT_EQ(run({tool("gcore"), "-o", stuck.folder / "core", stuck.pid()}).ending(), "exit 0");
  const std::string core = stuck.folder / "core." + stuck.pid();
  ASSERT_EQ(truncate(core.c_str(), 65536), 0);
  const Ran cut_off = run({culprit_path(), "locks", core});
  EXPECT_THAT(cut_off.out, StartsWith("no verdict: nothing is known of its threads"));
  EXPECT_THAT(cut_off.out, HasSubstr("partial, because"));
}

// Two processes that are stuck with each other; the one that is asked for, and the verdict.
struct Between {
  const char* mode;
  bool asks_child;
  const char* verdict;
};
class BetweenProcesses : public ::testing::TestWithParam<Between> {};
TEST_P(BetweenProcesses, TheVerdictIsTold) {
  TemporaryFolder folder;
  Running running({program("locks_between"), GetParam().mode, folder / "ready"});
  ASSERT_TRUE(wait_for_file(folder / "ready"));
  const pid_t child = children_of(running.pid()).at(0);
  const std::string asked = std::to_string(GetParam().asks_child ? child : running.pid());
  // The thread that has announced it is still about to end.
  Json answer = ask({asked});
  for (int tries = 0; tries < 50 && first_verdict(answer) != GetParam().verdict; tries++) answer = ask({asked});
  ASSERT_EQ(first_verdict(answer), GetParam().verdict) << answer.dump(1);
  const Json& verdict = answer.at("verdicts").at(0);
  if (GetParam().asks_child) {
    EXPECT_THAT(answer.dump(), HasSubstr("the lock was held while it forked"));
    return;
  }
  EXPECT_THAT(threads_of(verdict), UnorderedElementsAre("parent", "child"));
  for (const Json& step : verdict.at("steps"))
    if (step.at("thread").at("name") == "child") {
      EXPECT_EQ(step.at("thread").at("pid"), child);
    }
}
INSTANTIATE_TEST_SUITE_P(
    Locks, BetweenProcesses,
    ::testing::Values(Between{"mutexes", false, "deadlock"}, Between{"robust", false, "deadlock"},
                      Between{"file_locks", false, "deadlock"}, Between{"record_locks", false, "deadlock"},
                      Between{"open_file_locks", false, "deadlock"}, Between{"full_pipe", false, "deadlock"},
                      Between{"quiet_sockets", false, "possible_cycle"}, Between{"forked_lock", true, "owner_gone"}),
    [](const auto& info) { return std::string(info.param.mode); });

TEST(Locks, NameTheLoadersLock) {
  Stuck stuck("loader");
  Json answer = ask({stuck.pid()});
  ASSERT_EQ(first_verdict(answer), "deadlock") << answer.dump(1);
  const Json& verdict = answer.at("verdicts").at(0);
  EXPECT_THAT(threads_of(verdict), UnorderedElementsAre("loading", "other"));
  EXPECT_THAT(told(verdict), HasSubstr("loading holds the loader's lock"));
}

// Locks of malloc name no owner: it is concluded from the stacks, and told so.
TEST(Locks, ConcludeWhoKeepsMallocsArenaLocked) {
  Stuck stuck("arena");
  Json answer = ask({stuck.pid()});
  ASSERT_EQ(first_verdict(answer), "possible_cycle") << answer.dump(1);
  const Json& verdict = answer.at("verdicts").at(0);
  EXPECT_THAT(verdict.at("why_possible").get<std::string>(), HasSubstr("concluded from the stacks"));
  EXPECT_THAT(told(verdict), HasSubstr("interrupted holds the lock of malloc's arena"));
  EXPECT_EQ(verdict.at("steps").size(), 2u);
}

TEST(Locks, ConcludeThatASignalHandlerWaitsForTheArenaThatItsThreadKeeps) {
  Stuck stuck("arena_self");
  Json answer = ask({stuck.pid()});
  EXPECT_THAT(verdicts(answer),
              ElementsAre("possible_cycle: interrupted holds the lock of malloc's arena waits_for the "
                          "lock of malloc's arena;"));
}

// In a pid namespace of its own, as in a container: its locks name owners by numbers that are other threads' outside.
class InAPidNamespace : public ::testing::TestWithParam<Between> {};
TEST_P(InAPidNamespace, OwnersAreFoundByTheNumbersOfTheirNamespace) {
  if (tool("unshare").empty()) GTEST_SKIP() << "unshare is not installed";
  const Words unshare{tool("unshare"), "--pid", "--fork", "--kill-child", "--mount-proc"};
  auto inside = [&](Words words) {
    words.insert(words.begin(), unshare.begin(), unshare.end());
    return words;
  };
  if (run(inside({"/bin/true"})).ending() != "exit 0") GTEST_SKIP() << "making a pid namespace takes CAP_SYS_ADMIN";
  TemporaryFolder folder;
  const std::string mode = GetParam().mode;
  const std::string path = program(mode.starts_with("between_") ? "locks_between" : "locks_stuck");
  Running running(inside({path, mode.starts_with("between_") ? mode.substr(8) : mode, folder / "ready"}));
  ASSERT_TRUE(wait_for_file(folder / "ready"));
  pid_t asked = children_of(running.pid()).at(0);
  if (GetParam().asks_child) asked = children_of(asked).at(0);
  Json answer = ask({std::to_string(asked)});
  EXPECT_EQ(first_verdict(answer), GetParam().verdict) << answer.dump(1);
  if (std::string(GetParam().verdict) == "owner_gone") return;
  for (const Json& lock : answer.at("locks")) EXPECT_NE(lock.at("owner_state"), "gone") << lock.dump(1);
  if (std::string(GetParam().verdict) != "deadlock") return;
  EXPECT_EQ(answer.at("verdicts").at(0).at("steps").size(), 2u);
}
INSTANTIATE_TEST_SUITE_P(
    Locks, InAPidNamespace,
    ::testing::Values(Between{"mutexes", false, "deadlock"}, Between{"robust", false, "deadlock"},
                      Between{"inheriting", false, "deadlock"}, Between{"shared", false, "deadlock"},
                      Between{"join_holding", false, "deadlock"}, Between{"chain", false, "waiting_for_one"},
                      Between{"orphan", false, "owner_gone"}, Between{"between_mutexes", false, "deadlock"},
                      Between{"between_mutexes", true, "deadlock"}, Between{"between_full_pipe", false, "deadlock"}),
    [](const auto& info) { return std::string(info.param.mode) + (info.param.asks_child ? "_child" : ""); });

// Programs that are busy with locks and never stuck: whatever is seen in passing, it is called neither a deadlock nor
// an owner that is gone.
class HealthyProgram : public ::testing::TestWithParam<const char*> {};
TEST_P(HealthyProgram, IsNeverAccused) {
  TemporaryFolder folder;
  Running running({program("locks_busy"), GetParam(), folder / "ready"});
  ASSERT_TRUE(wait_for_file(folder / "ready"));
  auto target = open_live_process(static_cast<uint32_t>(running.pid()));
  ASSERT_TRUE(target);
  LockQuestioner questioner(**target);
  // Single looks are the hardest: nothing but the proof itself keeps what is seen in passing apart. Stacks tell more
  // kinds of locks, and who may hold them.
  Arguments single, with_stacks, twice;
  single.options = {{"--no-wait", ""}, {"--no-stacks", ""}};
  with_stacks.options = {{"--no-wait", ""}};
  for (int look = 0; look < 100; look++) {
    auto answer = questioner.ask(look % 50 == 0 ? twice : look % 5 == 0 ? with_stacks : single);
    ASSERT_TRUE(answer) << answer.error().what;
    for (const LockVerdict& verdict : answer->verdicts)
      EXPECT_THAT(verdict.kind, AnyOf(LockVerdictKind::waiting_for_one, LockVerdictKind::possible_cycle))
          << "look " << look << ": " << verdict_words(*answer, verdict);
  }
}
INSTANTIATE_TEST_SUITE_P(Locks, HealthyProgram,
                         ::testing::Values("plain", "recursive", "writers", "inheriting", "robust", "in_order",
                                           "in_any_order", "in_phases", "hand_over_hand", "readers_and_writers",
                                           "queue", "ping_pong", "rounds", "futures", "joins", "once", "allocations",
                                           "timed", "printing", "file_locks", "between_processes"),
                         [](const auto& info) { return std::string(info.param); });

TEST(Locks, ExplainOneLockByNameAndByAddress) {
  Stuck stuck("mutexes");
  Json by_name = ask({stuck.pid(), "--address", "g_mutex1"});
  const Json& lock = by_name.at("locks").at(by_name.at("asked").get<size_t>());
  EXPECT_EQ(lock.at("name"), "g_mutex1");
  EXPECT_EQ(lock.at("owner").at("name"), "worker_a");
  EXPECT_EQ(lock.at("waits").size(), 2u);
  char address[32];
  snprintf(address, sizeof address, "0x%llx", lock.at("address").get<unsigned long long>());
  EXPECT_EQ(ask({stuck.pid(), "--address", address}).at("locks"), by_name.at("locks"));
  Json free = ask({stuck.pid(), "--address", "g_mutex3"});
  EXPECT_EQ(free.at("locks").at(free.at("asked").get<size_t>()).at("state"), "unlocked");
}

TEST(Locks, SayWhatIsWrongInASentence) {
  Stuck stuck("self");
  Ran nothing = run({culprit_path(), "locks", stuck.pid(), "--address", "0x10"});
  EXPECT_EQ(nothing.ending(), "exit 2");
  EXPECT_THAT(nothing.err, HasSubstr("nobody waits for a lock there"));
  Ran unknown = run({culprit_path(), "locks", stuck.pid(), "--address", "no_such_variable"});
  EXPECT_EQ(unknown.ending(), "exit 2");
  EXPECT_THAT(unknown.err, HasSubstr("no_such_variable is neither an address"));
  EXPECT_EQ(run({culprit_path(), "locks", "999999999"}).ending(), "exit 2");
}

TEST(Locks, TellTheVerdictFirstInText) {
  Stuck stuck("mutexes");
  Ran ran = run({culprit_path(), "locks", stuck.pid()});
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  EXPECT_TRUE(ran.out.starts_with("deadlock: \"worker_")) << ran.out;
  EXPECT_THAT(ran.out, HasSubstr("wait for each other"));
  EXPECT_THAT(ran.out, HasSubstr("behind them: \"behind\""));
  EXPECT_THAT(ran.out, ::testing::ContainsRegex("no[ \n]+thread was stopped"));
}

}  // namespace
}  // namespace culprit::test
