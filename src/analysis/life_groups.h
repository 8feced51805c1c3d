// Lives of handles grouped by any columns, as they stream by. Nothing is looked up: groups are told apart by ids.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "analysis/handle_columns.h"
#include "analysis/handle_life.h"

namespace culprit {

struct LifeCounts {
  uint64_t still_open = 0, at_exit = 0, closed = 0;

  uint64_t outstanding() const { return still_open + at_exit; }
  uint64_t created() const { return outstanding() + closed; }
  void add(HowClosed how) { ++(how == HowClosed::still_open ? still_open : how == HowClosed::exit ? at_exit : closed); }
  LifeCounts& operator+=(const LifeCounts& other) {
    still_open += other.still_open;
    at_exit += other.at_exit;
    closed += other.closed;
    return *this;
  }
  bool operator==(const LifeCounts&) const = default;
};

// By which lives of one group are equal in that column. Columns that are words (module and function of a stack, the
// process's program) give what they are words of: others may have the same.
uint64_t word_of(HandleColumn column, const HandleLife& life);

struct LifeGroupRow {
  LifeCounts counts;
  Time first = INT64_MAX, last = INT64_MIN;  // creations
  HandleLife example;                        // the oldest outstanding one, if any is

  void add(const LifeGroupRow& other);
};

class LifeGroups final : public HandleLifeSink {
 public:
  // So that grouping by what every life has for itself (object, name) cannot take all memory.
  static constexpr size_t default_limit = size_t{1} << 19;

  explicit LifeGroups(std::vector<HandleColumn> columns, size_t limit = default_limit);

  void on_life(const HandleLife& life) override;
  void add(std::span<const uint64_t> words, const LifeGroupRow& row);

  const std::vector<HandleColumn>& columns() const { return columns_; }
  size_t size() const { return rows_.size(); }
  const LifeGroupRow& row(size_t group) const { return rows_[group]; }
  // One per column.
  std::span<const uint64_t> words(size_t group) const {
    return std::span(words_).subspan(group * columns_.size(), columns_.size());
  }
  // Lives that found no room: their group is one too many.
  const LifeCounts& beyond_limit() const { return beyond_limit_; }

 private:
  static constexpr uint32_t none = UINT32_MAX;
  uint32_t find_or_make(std::span<const uint64_t> words);
  void grow();

  std::vector<HandleColumn> columns_;
  size_t limit_;
  std::vector<LifeGroupRow> rows_;
  std::vector<uint64_t> words_;   // of all groups, one after the other
  std::vector<uint64_t> hashes_;  // index: group
  std::vector<uint32_t> places_;  // open addressing; a power of two of them
  std::vector<uint64_t> key_;     // of the life looked at
  LifeCounts beyond_limit_;
};

}  // namespace culprit
