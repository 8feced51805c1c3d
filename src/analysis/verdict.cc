#include "analysis/verdict.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace culprit {

namespace {

constexpr const VerdictThresholds& limits = verdict_thresholds;

double seconds(Time duration) { return static_cast<double>(duration) / 1e9; }

// What is known of the process that keeps most handles of a group.
struct Keeper {
  const GroupShare* share = nullptr;
  RecordingSpan life;  // of that process, within the window
  Growth growth;
  bool ended_early = false;
};

Keeper keeper_of(const LifeGroup& group, const std::vector<GroupShare>& shares,
                 const std::vector<ProcessFacts>& processes, const RecordingSpan& window) {
  Keeper keeper;
  for (uint32_t index : group.shares) {
    if (!keeper.share || shares[index].left() > keeper.share->left()) keeper.share = &shares[index];
  }
  const ProcessFacts& process = processes[index_of(keeper.share->process)];
  keeper.life = {std::max(process.start, window.start), std::max(process.stop, window.start)};
  const double whole = seconds(window.end - window.start);
  keeper.ended_early = process.ended && process.parent != ProcessId::none &&
                       seconds(keeper.life.end - window.start) < whole * limits.ends_early;
  if (keeper.share->outstanding) {
    TimeSeries series = *keeper.share->outstanding;
    series.extend(keeper.life.end);
    keeper.growth = growth_of(series);
    if (Time made_in = keeper.share->last - keeper.share->first; made_in > 0) {
      keeper.growth.rate = static_cast<double>(keeper.share->left() - 1) / seconds(made_in);
    }
  }
  return keeper;
}

bool made_early(const Keeper& keeper) {
  const Time whole = keeper.life.end - keeper.life.start;
  return seconds(keeper.share->last - keeper.life.start) <= seconds(whole) * limits.early_share;
}

bool grows(const Keeper& keeper) {
  const uint64_t left = keeper.share->left();
  if (left >= limits.many) return true;
  return left >= limits.grows_from && !made_early(keeper) && keeper.growth.spread >= limits.spread_at_least;
}

// "0 of 300 closed"
std::string closed_in_words(const LifeGroup& group) {
  return fmt::format("{} of {} closed", with_thousands(group.closed()), with_thousands(group.created()));
}

// When it happened, relative to the life of the process: "from start to end", "from 2.1 s on", "within 3 ms, 1.0 s
// ago".
std::string when_in_words(const Keeper& keeper) {
  const double whole = seconds(keeper.life.end - keeper.life.start);
  const double first = seconds(keeper.share->first - keeper.life.start),
               last = seconds(keeper.share->last - keeper.life.start);
  const bool from_start = first <= whole * 0.1, to_end = last >= whole * 0.9;
  if (from_start && to_end) return "from start to end";
  if (to_end) return fmt::format("from {} after the start to the end", duration_in_words(first));
  if (from_start) return fmt::format("in the first {} of {}", duration_in_words(last), duration_in_words(whole));
  return fmt::format("between {} and {} after the start", duration_in_words(first), duration_in_words(last));
}

std::string growth_in_words(const LifeGroup& group, const Keeper& keeper) {
  const bool steady =
      keeper.growth.spread >= limits.steady_spread && keeper.growth.largest_segment <= limits.steady_segment;
  const std::string rate = keeper.growth.rate > 0 ? fmt::format("at {} ", rate_in_words(keeper.growth.rate)) : "";
  return fmt::format("{}, made {}{}{}", closed_in_words(group), steady && !rate.empty() ? "steadily " : "", rate,
                     when_in_words(keeper));
}

std::optional<Opinion> forgotten(const LifeGroup& group, const Keeper& keeper) {
  const uint64_t created = group.created(), closed = group.closed();
  if (closed < limits.closes_at_least) return {};
  if (static_cast<double>(closed) < static_cast<double>(created) * limits.closes_as_a_rule) return {};
  const Time usual = group.lifetimes.quantile(0.9);
  const Time overdue = static_cast<Time>(static_cast<double>(usual) * limits.overdue);
  const uint64_t count = group.ages.longer_than(overdue);
  std::string share = fmt::format("{} of {} not closed", with_thousands(group.outstanding()), with_thousands(created));
  std::string lived =
      fmt::format("the others lived {} (90 % of them less than {})",
                  duration_in_words(seconds(group.lifetimes.quantile(0.5))), duration_in_words(seconds(usual)));
  if (count == 0 || (count == 1 && closed < limits.one_forgotten_from)) {
    return Opinion{Verdict::held, false, 0,
                   fmt::format("{}; {}, these are not much older: probably still in use", share, lived)};
  }
  std::string age = duration_in_words(seconds(group.ages.quantile(0.5)));
  return Opinion{
      Verdict::sometimes_forgotten, true, keeper.growth.rate,
      fmt::format("{}; {}, {} {} old", share, lived, group.outstanding() == 1 ? "this one is" : "these are", age)};
}

}  // namespace

Opinion opinion_on(const LifeGroup& group, const std::vector<GroupShare>& shares,
                   const std::vector<ProcessFacts>& processes, const RecordingSpan& window) {
  if (group.outstanding() == 0) {
    return {Verdict::none, false, 0, counted(group.created(), "made and closed", "made, all of them closed")};
  }
  const Keeper keeper = keeper_of(group, shares, processes, window);
  if (auto opinion = forgotten(group, keeper)) return *opinion;

  uint64_t keepers = 0, still_open = 0;
  for (uint32_t index : group.shares) {
    keepers += shares[index].left() != 0 ? 1 : 0;
    still_open += shares[index].still_open;
  }
  const bool hidden = still_open == 0 && (keepers > 1 || keeper.ended_early);
  const bool growing = grows(keeper);
  if (hidden) {
    const uint64_t most = keeper.share->left();
    std::string words = fmt::format("{} made in {}, {} before {} ended", with_thousands(group.created()),
                                    counted(keepers, "process", "processes"), closed_in_words(group),
                                    keepers == 1 ? "the process" : "the processes");
    if (keepers > 1) words += fmt::format("; at most {} in one process", with_thousands(most));
    words += growing ? fmt::format(", {} {}", rate_in_words(keeper.growth.rate), when_in_words(keeper))
                     : ", which does not grow";
    return {Verdict::hidden_by_exit, growing, growing ? keeper.growth.rate : 0, words};
  }
  if (growing) return {Verdict::grows, true, keeper.growth.rate, growth_in_words(group, keeper)};
  return {Verdict::held, false, 0,
          fmt::format("{}, made {}: probably meant", closed_in_words(group),
                      group.created() == 1
                          ? fmt::format("{} after the start", duration_in_words(seconds(std::max<Time>(
                                                                  0, keeper.share->first - keeper.life.start))))
                          : when_in_words(keeper))};
}

std::string rate_in_words(double per_second) {
  for (auto [unit, factor] : {std::pair{"s", 1.0}, {"min", 60.0}}) {
    const double rate = per_second * factor;
    if (rate >= 9.95)
      return fmt::format("{}/{}", with_thousands(static_cast<uint64_t>(std::min(rate + 0.5, 1e18))), unit);
    if (rate >= 0.95) return fmt::format("{:.1f}/{}", rate, unit);
  }
  return fmt::format("{:.1f}/h", per_second * 3600);
}

std::optional<TimeLeft> time_left(uint64_t limit, uint64_t open, double growth) {
  if (limit == 0 || growth <= 0) return {};
  TimeLeft left{limit, open, growth, 0, {}};
  // RLIM_INFINITY and the like: no program lives that long.
  constexpr double a_century = 100.0 * 365 * 24 * 3600;
  left.seconds = open >= limit ? 0 : static_cast<double>(limit - open) / growth;
  if (left.seconds > a_century) return {};
  std::string_view about = "about ";
  std::string words = duration_in_words(left.seconds);
  if (words.starts_with(about)) about = "";
  left.sentence = open >= limit ? fmt::format("the limit of {} is reached", with_thousands(limit))
                                : fmt::format("at this rate the limit of {} is reached in {}{}", with_thousands(limit),
                                              about, words);
  return left;
}

}  // namespace culprit
