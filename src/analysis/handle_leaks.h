// Groups lives of handles by (type, creating stack) and counts, as they stream by.
#pragma once

#include <array>
#include <memory>
#include <unordered_map>
#include <vector>

#include "analysis/growth.h"
#include "analysis/handle_life.h"
#include "analysis/handle_report.h"
#include "model/trace.h"

namespace culprit {

// What the handles of one group have in common. A small value, so that other groupings are other ways to fill it.
struct GroupKey {
  StringId type = StringId::none;  // as the creating call tells it, so that closed and open ones meet
  StackId stack = StackId::none;
  bool operator==(const GroupKey&) const = default;
};

// Counts per process, most frequent near the front. Beyond a bound of processes the rest is counted, not named.
class ProcessTally {
 public:
  void add(ProcessId process);
  std::vector<std::pair<ProcessId, uint64_t>> most(size_t limit) const;

 private:
  std::vector<std::pair<ProcessId, uint64_t>> counts_;
};

// The part of a group in one owning process: growth is looked at process by process.
struct GroupShare {
  uint32_t group = 0;
  ProcessId process = ProcessId::none;
  uint64_t created = 0, closed = 0, still_open = 0, at_exit = 0;
  Time first = INT64_MAX, last = INT64_MIN;  // creations of outstanding ones
  std::unique_ptr<TimeSeries> outstanding;   // by time of creation; from the second one on
  uint64_t left() const { return still_open + at_exit; }
};

struct LifeGroup {
  static constexpr uint32_t none = UINT32_MAX;

  GroupKey key;
  uint32_t next_of_stack = none;  // groups of the same stack, other type
  uint32_t last_share = none;     // shares, newest first
  StringId shown_type = StringId::none;
  StringId call = StringId::none;
  uint64_t created_by[how_created_count] = {}, closed_by[how_closed_count] = {};
  Time first = INT64_MAX, last = INT64_MIN;  // creations
  ProcessTally creating, closing;
  DurationHistogram lifetimes;                               // of closed ones
  DurationHistogram ages;                                    // of outstanding ones
  std::unique_ptr<TimeSeries> series;                        // outstanding ones by time of creation
  std::vector<HandleLife> examples;                          // outstanding, oldest first
  std::vector<std::pair<StackId, uint64_t>> closing_stacks;  // a few of the most frequent
  std::vector<uint32_t> shares;                              // indices, one per owning process
  std::array<ProcessId, 8> first_processes{};                // of the first shares, for a quick search

  uint64_t created() const;
  uint64_t closed() const;       // by close, replaced, exec, or vanished
  uint64_t outstanding() const;  // still open or closed only by exit
};

struct HandleLeaksOptions {
  Time window_start = INT64_MIN;  // made before: only counted
  Time series_start = 0;          // where the series of groups begin, if nothing is earlier
  size_t keep_lives = 0;          // that many lives are kept, one by one
  bool keep_closed = false;       // closed ones, too
};

class HandleLeaks final : public HandleLifeSink {
 public:
  static constexpr size_t example_count = 5, closing_stack_count = 4;

  // `tables` must outlive this.
  HandleLeaks(const TraceTables& tables, HandleLeaksOptions options) : tables_(tables), options_(options) {}

  void on_life(const HandleLife& life) override;

  const std::vector<LifeGroup>& groups() const { return groups_; }
  const std::vector<GroupShare>& shares() const { return shares_; }
  // Of all types, those in no group, too. Index: StringId of the best known type.
  struct Totals {
    uint64_t created = 0, closed = 0, outstanding = 0;
  };
  const std::unordered_map<StringId, Totals>& types() const { return types_; }
  const std::vector<HandleLife>& unknown() const { return unknown_; }  // up to a bound
  const std::vector<HandleLife>& lives() const { return lives_; }
  uint64_t lives_left_out() const { return lives_left_out_; }
  uint64_t created = 0, closed = 0, outstanding = 0, inherited = 0, existing = 0, unknown_total = 0, before_window = 0;

  // LifeGroup::none when that life belongs to none.
  uint32_t group_of(const HandleLife& life) const;

 private:
  LifeGroup& group_for(const HandleLife& life);
  GroupShare& share_for(LifeGroup& group, uint32_t group_index, const HandleLife& life);
  void count_closed(LifeGroup& group, const HandleLife& life);
  void count_outstanding(LifeGroup& group, GroupShare& share, const HandleLife& life);
  GroupKey key_of(const HandleLife& life) const;
  void keep(const HandleLife& life);

  const TraceTables& tables_;
  HandleLeaksOptions options_;
  std::vector<LifeGroup> groups_;
  std::vector<GroupShare> shares_;
  std::vector<uint32_t> by_stack_;  // index: StackId -> first group
  std::unordered_map<uint64_t, uint32_t> share_index_;
  std::unordered_map<StringId, Totals> types_;
  StringId last_type_ = StringId::none;
  Totals* last_totals_ = nullptr;  // of last_type_; nodes of the map stay where they are
  std::vector<HandleLife> unknown_, lives_;
  uint64_t lives_left_out_ = 0;
};

}  // namespace culprit
