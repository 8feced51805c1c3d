// Works out, from a recording's allocations in one pass, what each stack (or size) has allocated, what of it lives at
// the end, what lived when most memory was in use, and what was temporary.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "analysis/live_blocks.h"
#include "model/allocation_batches.h"
#include "model/event_sink.h"
#include "model/trace.h"

namespace culprit {

enum class AllocationKey : uint8_t { stack, size };

// Blocks and their bytes, as the program asked for them.
struct BlockCount {
  uint64_t blocks = 0, bytes = 0;

  void add(const BlockCount& other) {
    blocks += other.blocks;
    bytes += other.bytes;
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
  friend class AllocationTotals;
  void end_parts(size_t until);
  uint32_t peak_age = 0;
  uint32_t parts_done = 0;
  uint64_t most_in_part = 0;

 public:
  BlockCount most;  // of itself in use at one moment
  Time most_at = 0;
  uint64_t smallest = UINT64_MAX, largest = 0;  // block
  AllocatorFunction function = AllocatorFunction::malloc;
  BlockCount at_peak;                          // see AllocationTotals::finish
  uint64_t key = 0;                            // StackId or size
  BlockCount unreachable;                      // of `left`: nothing pointed to them as their process ended
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

// A recording has handles, too; losses of these say nothing about memory.
bool is_about_handles(LossKind kind);

class AllocationTotals final : public EventSink, public AllocationBatches {
 public:
  struct Window {
    Time from = INT64_MIN, to = INT64_MAX;  // only allocations made since; as if the recording ended then
    Time start = 0, end = 0;                // of the recording, for the looks at growth
    uint64_t sampled_every = 0;             // bytes: the recording has only a sample, all numbers are estimates
  };
  // `tables` must outlive it. Events must come in order of time.
  AllocationTotals(const TraceTables& tables, AllocationKey key, const Window& window);

  void on_allocation(const AllocationEvent& event) override;
  void on_allocations(std::span<const AllocationEvent> events) override;
  void on_process(const ProcessEvent& event) override;
  void on_handle(const HandleEvent&) override {}
  void on_thread(const ThreadEvent&) override {}
  void on_snapshot(const HandleSnapshot&) override {}
  void on_mark(const Mark&) override {}
  void on_unreachable(const UnreachableBlocks& unreachable) override;
  void on_loss(const Loss& loss) override { losses_.push_back(loss); }

  // Once, after the last event.
  void finish();

  // Any order. Where nothing was ever allocated there is none.
  const std::vector<AllocationTotal>& totals() const { return totals_; }
  const std::vector<ProcessMemory>& processes() const { return processes_; }  // index: ProcessId
  const std::vector<Loss>& losses() const { return losses_; }
  const MemorySeries& series() const { return series_; }  // of all together
  BlockCount most() const { return most_; }               // in use at one moment, all processes together
  Time most_at() const { return most_at_; }
  uint64_t samples() const { return samples_; }  // blocks of the recording that the estimates are from

 private:
  struct Thread {
    uint32_t made = 0;
  };

  bool is_known(ProcessId process) const {
    return process != ProcessId::none && index_of(process) < tables_.processes.size();
  }
  void fetch(const AllocationEvent& event) const;
  void enter(const AllocationEvent& event);
  void allocate(const AllocationEvent& event);
  void release(const AllocationEvent& event);
  void forget(const LiveBlock& block, ProcessMemory& process);
  void leave_all(ProcessId process);
  void count_unreachable(ProcessId process);
  AllocationTotal& total_of(const AllocationEvent& event);
  void before_change(AllocationTotal& total);
  void end_parts_until(Time time);
  BlockCount weight_of(uint64_t size) const;
  void end_estimates();

  const TraceTables& tables_;
  AllocationKey key_;
  Window window_;
  std::vector<AllocationTotal> totals_;
  std::vector<uint32_t> by_stack_;                  // index: StackId; 0: none yet, else 1 + index into totals_
  std::unordered_map<uint64_t, uint32_t> by_size_;  // index into totals_
  std::vector<ProcessMemory> processes_;
  std::vector<LiveBlocks> live_;  // index: ProcessId
  std::unordered_map<ProcessId, std::vector<UnreachableBlocks::Block>> unreachable_;
  std::vector<Thread> threads_;
  std::unordered_map<uint64_t, uint32_t> thread_index_;  // by process and tid
  uint64_t last_thread_key_ = 0;
  uint32_t thread_ = 0;
  BlockCount live_now_, most_;
  Time most_at_ = 0;
  // What lived at the peak is noted when it is about to change for the first time since: `peak_age_` counts peaks left.
  bool at_peak_ = false;
  uint32_t peak_age_ = 0;
  uint64_t samples_ = 0;
  size_t parts_done_ = 0;
  Time part_end_ = 0;
  uint64_t left_now_ = 0, most_in_part_ = 0;  // bytes
  MemorySeries series_{};
  std::vector<Loss> losses_;
};

}  // namespace culprit
