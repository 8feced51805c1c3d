#include "analysis/allocation_totals.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace culprit {

namespace {

void add(BlockCount& count, const BlockCount& weight) {
  count.blocks += weight.blocks;
  count.bytes += weight.bytes;
}

// Far from overflow in all differences; a damaged recording may hold anything.
bool is_sane(Time time) { return time >= 0 && time < Time{1} << 61; }

void subtract(BlockCount& count, const BlockCount& weight) {
  count.blocks -= weight.blocks;
  count.bytes -= weight.bytes;
}

// Estimates are counted in such parts of a block and of a byte, so that adding many up makes no error.
constexpr uint64_t estimate_parts = 256;
void end_estimate(uint64_t& number) { number = (number + estimate_parts / 2) / estimate_parts; }
void end_estimate(BlockCount& count) {
  end_estimate(count.blocks);
  end_estimate(count.bytes);
}

}  // namespace

bool is_about_handles(LossKind kind) {
  return kind == LossKind::table_not_checked || kind == LossKind::unknown_origin || kind == LossKind::vanished_handle;
}

AllocationTotals::AllocationTotals(const TraceTables& tables, AllocationKey key, const Window& window)
    : tables_(tables),
      key_(key),
      window_(window),
      by_stack_(tables.stacks.size()),
      processes_(tables.processes.size()),
      live_(tables.processes.size()) {
  window_.end = std::max(window_.start, std::min(window_.end, window_.to));
  part_end_ = window_.start + (window_.end - window_.start) / static_cast<Time>(part_count);
}

// A block is in a sample with the chance 1 - exp(-size / sampled_every): each that is stands for as many as that makes.
BlockCount AllocationTotals::weight_of(uint64_t size) const {
  if (window_.sampled_every == 0) return {1, size};
  constexpr double enough = 0x1p54;  // no block is as large, whatever a recording says
  const double bytes = std::clamp(static_cast<double>(size), 1.0, enough);
  const double blocks =
      static_cast<double>(estimate_parts) / -std::expm1(-bytes / static_cast<double>(window_.sampled_every));
  return {static_cast<uint64_t>(std::llround(blocks)),
          size == 0 ? 0 : static_cast<uint64_t>(std::llround(blocks * bytes))};
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

void AllocationTotals::end_parts_until(Time time) {
  // The last part ends with the recording.
  while (parts_done_ + 1 < part_count && time > part_end_) {
    const Time length = (window_.end - window_.start) / static_cast<Time>(part_count);
    series_[parts_done_++] = std::exchange(most_in_part_, live_now_.bytes + left_now_);
    part_end_ += std::max<Time>(length, 1);
  }
}

AllocationTotal& AllocationTotals::total_of(const AllocationEvent& event) {
  uint32_t index = 0;
  if (key_ == AllocationKey::size) {
    auto [place, is_new] = by_size_.try_emplace(event.size, static_cast<uint32_t>(totals_.size()));
    if (is_new) totals_.emplace_back().key = event.size;
    index = place->second;
  } else {
    const size_t stack = index_of(event.stack) < by_stack_.size() ? index_of(event.stack) : 0;
    if (by_stack_[stack] == 0) {
      totals_.emplace_back().key = stack;
      by_stack_[stack] = static_cast<uint32_t>(totals_.size());
    }
    index = by_stack_[stack] - 1;
  }
  return totals_[index];
}

// A total whose at_peak is of an older peak than the last one has not changed since that one: what lives is what lived.
// The same goes for the parts of time that have ended meanwhile.
void AllocationTotals::before_change(AllocationTotal& total) {
  total.end_parts(parts_done_);
  if (at_peak_) {
    at_peak_ = false;
    ++peak_age_;
  }
  if (total.peak_age == peak_age_) return;
  total.peak_age = peak_age_;
  total.at_peak = total.live;
}

void AllocationTotals::enter(const AllocationEvent& event) {
  const uint64_t key = uint64_t{index_of(event.process)} << 32 | event.tid;
  if (key != last_thread_key_ || threads_.empty()) {
    auto [place, is_new] = thread_index_.try_emplace(key, static_cast<uint32_t>(threads_.size()));
    if (is_new) threads_.emplace_back();
    thread_ = place->second;
    last_thread_key_ = key;
  }
}

// In a program with much memory each of these is a place that no processor has at hand: they are fetched while the
// events before are counted.
void AllocationTotals::fetch(const AllocationEvent& event) const {
  if (is_known(event.process)) live_[index_of(event.process)].fetch(event.address);
  if (index_of(event.stack) >= by_stack_.size()) return;
  if (const uint32_t place = by_stack_[index_of(event.stack)]; place != 0) __builtin_prefetch(&totals_[place - 1], 1);
}

void AllocationTotals::on_allocations(std::span<const AllocationEvent> events) {
  constexpr size_t ahead = 16;
  for (size_t i = 0; i < events.size(); ++i) {
    if (i + ahead < events.size()) fetch(events[i + ahead]);
    on_allocation(events[i]);
  }
}

void AllocationTotals::on_allocation(const AllocationEvent& event) {
  if (event.time > window_.to || !is_sane(event.time) || !is_known(event.process)) return;
  end_parts_until(event.time);
  enter(event);
  processes_[index_of(event.process)].seen = true;
  event.action == AllocationAction::allocate ? allocate(event) : release(event);
}

void AllocationTotals::allocate(const AllocationEvent& event) {
  ProcessMemory& process = processes_[index_of(event.process)];
  AllocationTotal& total = total_of(event);
  const uint32_t order = ++threads_[thread_].made;
  const auto group = static_cast<uint32_t>(&total - totals_.data());
  auto before = live_[index_of(event.process)].put({event.address, event.size, event.time, group, thread_, order});
  if (before) {
    ++process.unseen_releases;
    forget(*before, process);
  }
  if (event.time < window_.from) return;
  before_change(total);
  total.function = event.function;
  total.smallest = std::min(total.smallest, event.size);
  total.largest = std::max(total.largest, event.size);
  const BlockCount weight = weight_of(event.size);
  ++samples_;
  add(total.made, weight);
  add(total.live, weight);
  if (total.live.bytes > total.most.bytes) {
    total.most = total.live;
    total.most_at = event.time;
  }
  total.most_in_part = std::max(total.most_in_part, total.live.bytes + total.left.bytes);
  add(process.made, weight);
  add(process.live, weight);
  add(live_now_, weight);
  if (process.live.bytes > process.most.bytes) {
    process.most = process.live;
    process.most_at = event.time;
  }
  most_in_part_ = std::max(most_in_part_, live_now_.bytes + left_now_);
  if (live_now_.bytes > most_.bytes) {
    most_ = live_now_;
    most_at_ = event.time;
    at_peak_ = true;
  }
}

void AllocationTotals::forget(const LiveBlock& block, ProcessMemory& process) {
  if (block.made < window_.from) return;
  AllocationTotal& total = totals_[block.group];
  before_change(total);
  const BlockCount weight = weight_of(block.size);
  subtract(total.live, weight);
  subtract(process.live, weight);
  subtract(live_now_, weight);
}

void AllocationTotals::release(const AllocationEvent& event) {
  ProcessMemory& process = processes_[index_of(event.process)];
  auto block = live_[index_of(event.process)].take(event.address);
  if (!block) return ++process.unknown_releases, void();
  process.released += weight_of(block->size).blocks;
  forget(*block, process);
  // One that realloc moved lives on, in a way.
  if (event.function == AllocatorFunction::realloc) return;
  // What its thread allocated meanwhile is not known of a block in a sample.
  if (window_.sampled_every != 0) return;
  if (block->made >= window_.from && threads_[block->thread].made == block->order) ++totals_[block->group].temporary;
}

void AllocationTotals::on_unreachable(const UnreachableBlocks& unreachable) {
  if (unreachable.time > window_.to || !is_known(unreachable.process)) return;
  ProcessMemory& process = processes_[index_of(unreachable.process)];
  process.looked_at = unreachable.why_not.empty();
  process.why_not = unreachable.why_not;
  auto& blocks = unreachable_[unreachable.process];
  blocks.insert(blocks.end(), unreachable.blocks.begin(), unreachable.blocks.end());
}

// A moment after the look, the process ends; other threads may have released blocks meanwhile.
void AllocationTotals::count_unreachable(ProcessId id) {
  auto found = unreachable_.find(id);
  if (found == unreachable_.end()) return;
  for (const UnreachableBlocks::Block& each : found->second) {
    const LiveBlock* block = live_[index_of(id)].find(each.address);
    if (block == nullptr || block->made < window_.from) continue;
    AllocationTotal& total = totals_[block->group];
    const BlockCount weight = weight_of(block->size);
    add(total.unreachable, weight);
    total.indirect += each.is_indirect ? weight.blocks : 0;
    const LiveBlock* owner = each.is_indirect ? live_[index_of(id)].find(each.owner) : nullptr;
    if (owner != nullptr && owner->group != block->group && owner->made >= window_.from)
      totals_[owner->group].behind.add(weight);
    add(processes_[index_of(id)].unreachable, weight);
  }
  unreachable_.erase(found);
}

void AllocationTotals::leave_all(ProcessId id) {
  ProcessMemory& process = processes_[index_of(id)];
  count_unreachable(id);
  live_[index_of(id)].for_each([&](const LiveBlock& block) {
    if (block.made < window_.from) return;
    AllocationTotal& total = totals_[block.group];
    before_change(total);
    if (total.left.blocks == 0) total.first_left = total.last_left = block.made;
    total.first_left = std::min(total.first_left, block.made);
    total.last_left = std::max(total.last_left, block.made);
    const BlockCount weight = weight_of(block.size);
    add(total.left, weight);
    add(process.left, weight);
    left_now_ += weight.bytes;
    forget(block, process);
  });
  live_[index_of(id)].clear();
}

void AllocationTotals::on_process(const ProcessEvent& event) {
  if (event.time > window_.to || !is_known(event.process)) return;
  end_parts_until(event.time);
  ProcessMemory& process = processes_[index_of(event.process)];
  switch (event.change) {
    case ProcessChange::forked:
    case ProcessChange::forked_sharing:
      process.forked = true;
      break;
    case ProcessChange::executed:
      process.gone_with_exec.add(process.live);
      live_[index_of(event.process)].for_each([&](const LiveBlock& block) { forget(block, process); });
      live_[index_of(event.process)].clear();
      process.forked = false;
      break;
    case ProcessChange::exited:
    case ProcessChange::killed:
      process.ended = true;
      process.killed_by = event.change == ProcessChange::killed ? event.status : 0;
      leave_all(event.process);
      break;
    case ProcessChange::launched:
      break;
  }
}

void AllocationTotals::finish() {
  end_parts_until(INT64_MAX);
  for (size_t i = 1; i < processes_.size(); ++i) leave_all(id_at<ProcessId>(i));
  for (AllocationTotal& total : totals_) {
    before_change(total);
    total.end_parts(part_count);
  }
  series_.back() = most_in_part_;
  if (window_.sampled_every != 0) end_estimates();
  // Unknown releases of a forked child are of what it inherited. Elsewhere they are of blocks from before the recording
  // began. Both say nothing against the blocks that were seen.
  for (size_t i = 1; i < processes_.size(); ++i) {
    if (processes_[i].unseen_releases == 0) continue;
    losses_.push_back({LossKind::unseen_release, processes_[i].unseen_releases, id_at<ProcessId>(i), {}});
  }
}

void AllocationTotals::end_estimates() {
  for (AllocationTotal& total : totals_) {
    for (BlockCount* count : {&total.made, &total.left, &total.unreachable, &total.behind, &total.at_peak, &total.most})
      end_estimate(*count);
    end_estimate(total.indirect);
    for (uint64_t& look : total.looks) end_estimate(look);
    for (uint64_t& part : total.series) end_estimate(part);
  }
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
