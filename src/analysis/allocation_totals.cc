#include "analysis/allocation_totals.h"

#include <algorithm>
#include <utility>

namespace culprit {

namespace {

void add(BlockCount& count, uint64_t bytes) {
  ++count.blocks;
  count.bytes += bytes;
}

// Far from overflow in all differences; a damaged recording may hold anything.
bool is_sane(Time time) { return time >= 0 && time < Time{1} << 61; }

void subtract(BlockCount& count, uint64_t bytes) {
  --count.blocks;
  count.bytes -= bytes;
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

void AllocationTotal::end_part(size_t part) {
  constexpr size_t parts_a_look = part_count / growth_looks;
  static_assert(part_count % growth_looks == 0);
  const uint64_t now = live.bytes + left.bytes;
  series[part] = most_in_part;
  most_in_part = now;
  if ((part + 1) % parts_a_look == 0) looks[part / parts_a_look] = now;
}

void AllocationTotals::end_parts_until(Time time) {
  // The last part ends with the recording.
  while (parts_done_ + 1 < part_count && time > part_end_) {
    const Time length = (window_.end - window_.start) / static_cast<Time>(part_count);
    for (AllocationTotal& total : totals_) total.end_part(parts_done_);
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
void AllocationTotals::before_change(AllocationTotal& total) {
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
  add(total.made, event.size);
  add(total.live, event.size);
  if (total.live.bytes > total.most.bytes) {
    total.most = total.live;
    total.most_at = event.time;
  }
  total.most_in_part = std::max(total.most_in_part, total.live.bytes + total.left.bytes);
  add(process.made, event.size);
  add(process.live, event.size);
  add(live_now_, event.size);
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
  subtract(total.live, block.size);
  subtract(process.live, block.size);
  subtract(live_now_, block.size);
}

void AllocationTotals::release(const AllocationEvent& event) {
  ProcessMemory& process = processes_[index_of(event.process)];
  auto block = live_[index_of(event.process)].take(event.address);
  if (!block) return ++process.unknown_releases, void();
  ++process.released;
  forget(*block, process);
  // One that realloc moved lives on, in a way.
  if (event.function == AllocatorFunction::realloc) return;
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
    add(total.unreachable, block->size);
    total.indirect += each.is_indirect ? 1 : 0;
    add(processes_[index_of(id)].unreachable, block->size);
  }
  unreachable_.erase(found);
}

void AllocationTotals::leave_all(ProcessId id) {
  ProcessMemory& process = processes_[index_of(id)];
  count_unreachable(id);
  live_[index_of(id)].for_each([&](const LiveBlock& block) {
    if (block.made < window_.from) return;
    AllocationTotal& total = totals_[block.group];
    if (total.left.blocks == 0) total.first_left = total.last_left = block.made;
    total.first_left = std::min(total.first_left, block.made);
    total.last_left = std::max(total.last_left, block.made);
    add(total.left, block.size);
    add(process.left, block.size);
    left_now_ += block.size;
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
    total.end_part(part_count - 1);
  }
  series_.back() = most_in_part_;
  // Unknown releases of a forked child are of what it inherited. Elsewhere they are of blocks from before the recording
  // began. Both say nothing against the blocks that were seen.
  for (size_t i = 1; i < processes_.size(); ++i) {
    if (processes_[i].unseen_releases == 0) continue;
    losses_.push_back({LossKind::unseen_release, processes_[i].unseen_releases, id_at<ProcessId>(i), {}});
  }
}

}  // namespace culprit
