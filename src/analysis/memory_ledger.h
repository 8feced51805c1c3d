// Keeps count of memory that is made and goes, by group: what lives, what lived when most was in use, what is left in
// the end, and what was in use when. What a piece of memory is (a block of the allocator, a mapping) is up to its user.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model/allocation_event.h"
#include "model/ids.h"
#include "model/mapping_event.h"
#include "model/trace.h"

namespace culprit {

// Of a recording's memory: what its allocator gave out, or what was mapped beside it (model/mapping_event.h).
enum class RecordedMemory : uint8_t { blocks, mappings };

// Blocks (or mappings) and their bytes, as the program asked for them.
struct BlockCount {
  uint64_t blocks = 0, bytes = 0;

  void add(const BlockCount& other) {
    blocks += other.blocks;
    bytes += other.bytes;
  }
  void subtract(const BlockCount& other) {
    blocks -= other.blocks;
    bytes -= other.bytes;
  }
};

// In equal parts of the time: the most bytes in use in each.
inline constexpr size_t part_count = 40;
using MemorySeries = std::array<uint64_t, part_count>;
// Looks for growth: at the ends of some of the parts, equally far apart.
inline constexpr size_t growth_looks = 8;

// Of one stack or size, over all processes. What each event changes lies together in front.
struct alignas(64) AllocationTotal {
  BlockCount made, live, left;  // left: alive at the end of the recording or of their process
  uint64_t temporary = 0;       // of `made`: freed before their thread allocated again (0 in a sample)

 private:
  friend class MemoryLedger;
  void end_parts(size_t until);
  uint32_t peak_age = 0;
  uint32_t parts_done = 0;
  uint64_t most_in_part = 0;

 public:
  BlockCount most;  // of itself in use at one moment
  Time most_at = 0;
  uint64_t smallest = UINT64_MAX, largest = 0;             // block
  AllocatorFunction function = AllocatorFunction::malloc;  // of blocks
  MappingKind mapping = MappingKind::anonymous;            // of mappings
  BlockCount at_peak;                                      // see MemoryLedger::finish
  uint64_t key = 0;                                        // StackId or size
  BlockCount unreachable;                                  // of `left`: nothing pointed to them as their process ended
  uint64_t indirect = 0;                       // of `unreachable`: blocks to which only others of them pointed
  BlockCount behind;                           // unreachable ones of other stacks (or sizes), to which only these lead
  Time first_left = 0, last_left = 0;          // when those that are left were made
  std::array<uint64_t, growth_looks> looks{};  // bytes alive or left at each look
  MemorySeries series{};
};

struct ProcessMemory {
  bool seen = false, forked = false, ended = false;
  BlockCount made, live, left, most, unreachable;
  Time most_at = 0;
  bool looked_at = false;  // as it ended, for blocks that nothing points to
  std::string why_not;     // it could not be, one sentence
  int32_t killed_by = 0;   // signal; 0: none
  uint64_t released = 0;
  uint64_t unknown_releases = 0;  // of blocks that were not seen to be made
  uint64_t unseen_releases = 0;   // of blocks whose address was given out again
  BlockCount gone_with_exec;      // alive when another program took its place
};

// A sample's estimates are counted in such parts of a block and of a byte, so that adding many up makes no error.
inline constexpr uint64_t estimate_parts = 256;

class MemoryLedger {
 public:
  struct Window {
    Time from = INT64_MIN, to = INT64_MAX;  // only memory made since; as if the recording ended then
    Time start = 0, end = 0;                // of the recording, for the looks at growth
    uint64_t sampled_every = 0;             // bytes: the recording has only a sample, all numbers are estimates
  };
  // Unreachable blocks of `total` to which only those of another one, `owner`, lead: indices.
  struct Hanging {
    uint32_t owner, total;
    auto operator<=>(const Hanging&) const = default;
  };
  // `tables` must outlive it.
  MemoryLedger(const TraceTables& tables, const Window& window);

  const Window& window() const { return window_; }
  // In it, and of a process that there is.
  bool covers(Time time, ProcessId process) const {
    return time >= 0 && time < sane_time && time <= window_.to && process != ProcessId::none &&
           index_of(process) < processes_.size();
  }

  // Its index.
  uint32_t new_total(uint64_t key) {
    totals_.emplace_back().key = key;
    return static_cast<uint32_t>(totals_.size() - 1);
  }
  AllocationTotal& total(uint32_t index) { return totals_[index]; }
  void fetch(uint32_t index) const { __builtin_prefetch(&totals_[index], 1); }
  ProcessMemory& process(ProcessId id) { return processes_[index_of(id)]; }

  // In front of what happens at `time`; times never go back.
  void go_to(Time time) {
    if (time > part_end_) end_parts_until(time);
  }
  // Of a mapping, also what comes to it (no block, some bytes), and what it loses.
  void make(AllocationTotal& total, ProcessMemory& process, const BlockCount& weight, Time time);
  void end(AllocationTotal& total, ProcessMemory& process, const BlockCount& weight);
  // It lives at the end of the recording or of its process.
  void leave(AllocationTotal& total, ProcessMemory& process, const BlockCount& weight, Time made);

  // Of what is left, `count` hangs from leaks of `owner`: only they lead there. Both are indices.
  void hang(uint32_t owner, uint32_t total, const BlockCount& count);

  // Once, after the last event.
  void finish();

  // Any order. Where nothing was ever made there is none.
  const std::vector<AllocationTotal>& totals() const { return totals_; }
  const std::map<Hanging, BlockCount>& hanging() const { return hanging_; }
  const std::vector<ProcessMemory>& processes() const { return processes_; }  // index: ProcessId
  const MemorySeries& series() const { return series_; }                      // of all together
  BlockCount most() const { return most_; }  // in use at one moment, all processes together
  Time most_at() const { return most_at_; }

 private:
  void before_change(AllocationTotal& total);
  void end_parts_until(Time time);
  void end_estimates();

  // Far from overflow in all differences; a damaged recording may hold anything.
  static constexpr Time sane_time = Time{1} << 61;

  Window window_;
  std::vector<AllocationTotal> totals_;
  std::vector<ProcessMemory> processes_;
  std::map<Hanging, BlockCount> hanging_;
  BlockCount live_now_, most_;
  Time most_at_ = 0;
  // What lived at the peak is noted when it is about to change for the first time since: `peak_age_` counts peaks left.
  bool at_peak_ = false;
  uint32_t peak_age_ = 0;
  size_t parts_done_ = 0;
  Time part_end_ = 0;
  uint64_t left_now_ = 0, most_in_part_ = 0;  // bytes
  MemorySeries series_{};
};

// A total whose at_peak is of an older peak than the last one has not changed since that one: what lives is what lived.
// The same goes for the parts of time that have ended meanwhile.
inline void MemoryLedger::before_change(AllocationTotal& total) {
  if (total.parts_done != parts_done_) total.end_parts(parts_done_);
  if (at_peak_) {
    at_peak_ = false;
    ++peak_age_;
  }
  if (total.peak_age == peak_age_) return;
  total.peak_age = peak_age_;
  total.at_peak = total.live;
}

inline void MemoryLedger::make(AllocationTotal& total, ProcessMemory& process, const BlockCount& weight, Time time) {
  before_change(total);
  total.made.add(weight);
  total.live.add(weight);
  if (total.live.bytes > total.most.bytes) {
    total.most = total.live;
    total.most_at = time;
  }
  total.most_in_part = std::max(total.most_in_part, total.live.bytes + total.left.bytes);
  process.made.add(weight);
  process.live.add(weight);
  live_now_.add(weight);
  if (process.live.bytes > process.most.bytes) {
    process.most = process.live;
    process.most_at = time;
  }
  most_in_part_ = std::max(most_in_part_, live_now_.bytes + left_now_);
  if (live_now_.bytes > most_.bytes) {
    most_ = live_now_;
    most_at_ = time;
    at_peak_ = true;
  }
}

inline void MemoryLedger::end(AllocationTotal& total, ProcessMemory& process, const BlockCount& weight) {
  before_change(total);
  total.live.subtract(weight);
  process.live.subtract(weight);
  live_now_.subtract(weight);
}

}  // namespace culprit
