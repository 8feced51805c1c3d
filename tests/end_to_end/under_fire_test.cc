// Exactness when eight threads open, close, replace and reuse numbers as fast as they can, and in signal storms.
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "support/run_culprit.h"

namespace culprit::test {
namespace {

struct FireTruth {
  std::map<std::string, Made> kinds;
  std::map<int64_t, std::string> open;
};

FireTruth read_fire(const std::string& text) {
  FireTruth truth;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    std::string name;
    int64_t value = 0;
    if (word == "kind") {
      Made made;
      words >> name >> made.created >> made.closed;
      made.outstanding = made.created - made.closed;
      truth.kinds[name] = made;
    } else if (word == "open") {
      words >> value >> name;
      truth.open[value] = name;
    }
  }
  return truth;
}

uint64_t without_stack(const Json& report) { return loss(report, "stack_truncated") + loss(report, "stack_missing"); }

uint64_t distance(uint64_t a, uint64_t b) { return a > b ? a - b : b - a; }

TEST(UnderFire, CreatedMinusClosedIsOpenAndNoPairIsCrossed) {
  Watched watched = watch({program("under_fire"), "2"});
  ASSERT_EQ(watched.ran.ending(), "exit 0") << watched.ran.err;
  FireTruth truth = read_fire(watched.ran.out);
  ASSERT_EQ(truth.kinds.size(), 6u);
  // Without losses everything is exact; else the counters bound how wrong it can be. A handle whose stack could not be
  // taken (a busy machine, and a program that has just begun) is seen all the same, but under no function.
  uint64_t lost = partial_losses(watched.report) + without_stack(watched.report);
  uint64_t all_real = 0, all_seen = 0;
  for (const Json& group : watched.report.at("groups")) all_seen += group.at("created").get<uint64_t>();
  for (const auto& [kind, real] : truth.kinds) all_real += real.created;
  EXPECT_GE(all_seen + partial_losses(watched.report), all_real);
  for (const auto& [kind, real] : truth.kinds) {
    Made seen = made_under(watched.report, "fire_" + kind);
    EXPECT_LE(distance(seen.created, real.created), lost)
        << kind << ": created " << seen.created << " of " << real.created;
    EXPECT_LE(distance(seen.closed, real.closed), lost) << kind << ": closed " << seen.closed << " of " << real.closed;
    EXPECT_EQ(seen.created - seen.closed, seen.outstanding) << kind;
    EXPECT_LE(distance(seen.outstanding, real.outstanding), lost) << kind;
  }
  EXPECT_EQ(watched.report.at("exact").get<bool>(), partial_losses(watched.report) == 0);
}

TEST(UnderFire, EachOpenNumberHasTheStackOfItsOwnLife) {
  Watched watched = watch({program("under_fire"), "0.01"});
  ASSERT_EQ(watched.ran.ending(), "exit 0") << watched.ran.err;
  FireTruth truth = read_fire(watched.ran.out);
  auto open = left_open(watched.report, launched_pid(watched.report));
  uint64_t lost = partial_losses(watched.report) + without_stack(watched.report), wrong = 0;
  for (const auto& [value, kind] : truth.open) {
    bool right = open.contains(value) && on_stack(creating_stack(watched.report, open[value]), "fire_" + kind);
    if (!right) wrong++;
    if (!right && lost == 0) ADD_FAILURE() << value << " was made by fire_" << kind;
  }
  EXPECT_LE(wrong, lost);
  if (lost == 0) {
    EXPECT_EQ(open.size(), truth.open.size() + 3);  // and the three standard streams
  }
}

TEST(SignalStorm, LosesNothingAndCrossesNothing) {
  // Signals that come faster than a stopped program can handle them leave it no time for anything else.
  Watched watched = watch({program("signal_storm"), back_end() == "ptrace" ? "2000" : "50"});
  ASSERT_EQ(watched.ran.ending(), "exit 0") << watched.ran.err;
  // A stack cut short (a handler in the middle of the agent's own first question) is a visible loss: its function is
  // not on it.
  uint64_t lost = partial_losses(watched.report) + without_stack(watched.report);
  std::istringstream lines(watched.ran.out);
  std::string word, function;
  uint64_t created = 0, closed = 0;
  int functions = 0;
  while (lines >> word >> function >> created >> closed) {
    functions++;
    // The handler often interrupts open_in_main, which is then on its stack, too.
    Made seen = made_under(watched.report, function, function == "open_in_main" ? "open_in_handler" : "");
    EXPECT_LE(distance(seen.created, created), lost) << function << ": created " << seen.created << " of " << created;
    EXPECT_LE(distance(seen.closed, closed), lost) << function << ": closed " << seen.closed << " of " << closed;
  }
  EXPECT_EQ(functions, 2);
  EXPECT_EQ(watched.report.at("exact").get<bool>(), partial_losses(watched.report) == 0);
}

}  // namespace
}  // namespace culprit::test
