// From the numbers of a group to what culprit thinks of it, with the evidence in words.
#pragma once

#include <string>
#include <vector>

#include "analysis/handle_leaks.h"
#include "analysis/handle_lifetimes.h"
#include "analysis/handle_report.h"

namespace culprit {

// Every threshold the verdicts depend on. In short: few handles made early and kept are meant, a number that goes up
// for as long as the program works is not, and a stack that closes its handles as a rule has forgotten those far older
// than the rule.
struct VerdictThresholds {
  // Growing. Loops of tests are short, so few are enough if they are spread over the life of the process …
  uint64_t grows_from = 5;
  double early_share = 0.25;     // … which is not so when all are made in this first part of it (start-up, warm-up),
  double spread_at_least = 0.5;  // … or when less than this share of the time since the first one has seen any.
  uint64_t many = 100;           // so many kept by one stack are a leak whenever they were made
  double steady_spread = 0.75;   // for the word "steady": share of the time with creations …
  double steady_segment = 0.34;  // … and at most this share of them in an eighth of it

  // Sometimes forgotten.
  double closes_as_a_rule = 0.5;  // the stack closes at least this share of its handles …
  uint64_t closes_at_least = 4;   // … and so many
  double overdue = 3;  // forgotten are those older than that many times the lifetime that 90 % of the closed stay below
  uint64_t one_forgotten_from = 9;  // a single forgotten one counts only beside so many closed ones

  // Hidden by exit: processes that end well before the recording does, or several of them.
  double ends_early = 0.9;
};
inline constexpr VerdictThresholds verdict_thresholds;

struct Opinion {
  Verdict verdict = Verdict::none;
  bool leak = false;
  double rate = 0;  // per second; of the process that keeps most
  std::string evidence;
};

struct RecordingSpan {
  Time start = 0, end = 0;  // of the window looked at
};

Opinion opinion_on(const LifeGroup& group, const std::vector<GroupShare>& shares,
                   const std::vector<ProcessFacts>& processes, const RecordingSpan& window);

// (limit - open) / growth, in numbers and words. None when nothing grows or the limit is unknown.
std::optional<TimeLeft> time_left(uint64_t limit, uint64_t open, double growth);

// "100/s", "0.5/s", "12/min", "3/h"
std::string rate_in_words(double per_second);

}  // namespace culprit
