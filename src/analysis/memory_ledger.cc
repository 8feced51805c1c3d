#include "analysis/memory_ledger.h"

#include <algorithm>
#include <utility>

namespace culprit {

namespace {

void end_estimate(uint64_t& number) { number = (number + estimate_parts / 2) / estimate_parts; }
void end_estimate(BlockCount& count) {
  end_estimate(count.blocks);
  end_estimate(count.bytes);
}

}  // namespace

MemoryLedger::MemoryLedger(const TraceTables& tables, const Window& window)
    : window_(window), processes_(tables.processes.size()) {
  window_.end = std::max(window_.start, std::min(window_.end, window_.to));
  part_end_ = window_.start + (window_.end - window_.start) / static_cast<Time>(part_count);
}

void AllocationTotal::end_parts(size_t until) {
  constexpr size_t parts_a_look = part_count / growth_looks;
  static_assert(part_count % growth_looks == 0);
  const uint64_t now = live.bytes + left.bytes;
  for (; parts_done < until; ++parts_done) {
    series[parts_done] = most_in_part;
    most_in_part = now;
    if ((parts_done + 1) % parts_a_look == 0) looks[parts_done / parts_a_look] = now;
  }
}

void MemoryLedger::end_parts_until(Time time) {
  // The last part ends with the recording.
  while (parts_done_ + 1 < part_count && time > part_end_) {
    const Time length = (window_.end - window_.start) / static_cast<Time>(part_count);
    series_[parts_done_++] = std::exchange(most_in_part_, live_now_.bytes + left_now_);
    part_end_ += std::max<Time>(length, 1);
  }
}

void MemoryLedger::leave(AllocationTotal& total, ProcessMemory& process, const BlockCount& weight, Time made) {
  before_change(total);
  if (total.left.blocks == 0) total.first_left = total.last_left = made;
  total.first_left = std::min(total.first_left, made);
  total.last_left = std::max(total.last_left, made);
  total.left.add(weight);
  process.left.add(weight);
  left_now_ += weight.bytes;
  end(total, process, weight);
}

void MemoryLedger::hang(uint32_t owner, uint32_t total, const BlockCount& count) {
  totals_[owner].behind.add(count);
  hanging_[{owner, total}].add(count);
}

void MemoryLedger::finish() {
  for (AllocationTotal& total : totals_) {
    before_change(total);
    total.end_parts(part_count);
  }
  series_.back() = most_in_part_;
  if (window_.sampled_every != 0) end_estimates();
}

void MemoryLedger::end_estimates() {
  for (AllocationTotal& total : totals_) {
    for (BlockCount* count : {&total.made, &total.left, &total.unreachable, &total.behind, &total.at_peak, &total.most})
      end_estimate(*count);
    end_estimate(total.indirect);
    for (uint64_t& look : total.looks) end_estimate(look);
    for (uint64_t& part : total.series) end_estimate(part);
  }
  for (auto& [which, count] : hanging_) end_estimate(count);
  for (ProcessMemory& process : processes_) {
    for (BlockCount* count :
         {&process.made, &process.left, &process.unreachable, &process.most, &process.gone_with_exec})
      end_estimate(*count);
    end_estimate(process.released);
  }
  for (uint64_t& part : series_) end_estimate(part);
  end_estimate(most_);
}

}  // namespace culprit
