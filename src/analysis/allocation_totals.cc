#include "analysis/allocation_totals.h"

#include <algorithm>
#include <cmath>

namespace culprit {

bool is_about_handles(LossKind kind) {
  return kind == LossKind::table_not_checked || kind == LossKind::unknown_origin || kind == LossKind::vanished_handle;
}

AllocationTotals::AllocationTotals(const TraceTables& tables, AllocationKey key, const MemoryLedger::Window& window)
    : ledger_(tables, window), key_(key), by_stack_(tables.stacks.size()), live_(tables.processes.size()) {}

// A block is in a sample with the chance 1 - exp(-size / sampled_every): each that is stands for as many as that makes.
BlockCount AllocationTotals::weight_of(uint64_t size) const {
  if (ledger_.window().sampled_every == 0) return {1, size};
  constexpr double enough = 0x1p54;  // no block is as large, whatever a recording says
  const double bytes = std::clamp(static_cast<double>(size), 1.0, enough);
  const double blocks =
      static_cast<double>(estimate_parts) / -std::expm1(-bytes / static_cast<double>(ledger_.window().sampled_every));
  return {static_cast<uint64_t>(std::llround(blocks)),
          size == 0 ? 0 : static_cast<uint64_t>(std::llround(blocks * bytes))};
}

uint32_t AllocationTotals::total_of(const AllocationEvent& event) {
  if (key_ == AllocationKey::size) {
    auto [place, is_new] = by_size_.try_emplace(event.size, 0);
    if (is_new) place->second = ledger_.new_total(event.size);
    return place->second;
  }
  const size_t stack = index_of(event.stack) < by_stack_.size() ? index_of(event.stack) : 0;
  if (by_stack_[stack] == 0) by_stack_[stack] = ledger_.new_total(stack) + 1;
  return by_stack_[stack] - 1;
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
  if (index_of(event.process) < live_.size()) live_[index_of(event.process)].fetch(event.address);
  if (index_of(event.stack) >= by_stack_.size()) return;
  if (const uint32_t place = by_stack_[index_of(event.stack)]; place != 0) ledger_.fetch(place - 1);
}

void AllocationTotals::on_allocations(std::span<const AllocationEvent> events) {
  constexpr size_t ahead = 16;
  for (size_t i = 0; i < events.size(); ++i) {
    if (i + ahead < events.size()) fetch(events[i + ahead]);
    on_allocation(events[i]);
  }
}

void AllocationTotals::on_allocation(const AllocationEvent& event) {
  if (!ledger_.covers(event.time, event.process)) return;
  ledger_.go_to(event.time);
  enter(event);
  ledger_.process(event.process).seen = true;
  event.action == AllocationAction::allocate ? allocate(event) : release(event);
}

void AllocationTotals::allocate(const AllocationEvent& event) {
  ProcessMemory& process = ledger_.process(event.process);
  const uint32_t group = total_of(event);
  const uint32_t order = ++threads_[thread_].made;
  auto before = live_[index_of(event.process)].put({event.address, event.size, event.time, group, thread_, order});
  if (before) {
    ++process.unseen_releases;
    forget(*before, process);
  }
  if (event.time < ledger_.window().from) return;
  AllocationTotal& total = ledger_.total(group);
  total.function = event.function;
  total.smallest = std::min(total.smallest, event.size);
  total.largest = std::max(total.largest, event.size);
  ++samples_;
  ledger_.make(total, process, weight_of(event.size), event.time);
}

void AllocationTotals::forget(const LiveBlock& block, ProcessMemory& process) {
  if (block.made < ledger_.window().from) return;
  ledger_.end(ledger_.total(block.group), process, weight_of(block.size));
}

void AllocationTotals::release(const AllocationEvent& event) {
  ProcessMemory& process = ledger_.process(event.process);
  auto block = live_[index_of(event.process)].take(event.address);
  if (!block) return ++process.unknown_releases, void();
  process.released += weight_of(block->size).blocks;
  forget(*block, process);
  // One that realloc moved lives on, in a way.
  if (event.function == AllocatorFunction::realloc) return;
  // What its thread allocated meanwhile is not known of a block in a sample.
  if (ledger_.window().sampled_every != 0) return;
  if (block->made >= ledger_.window().from && threads_[block->thread].made == block->order)
    ++ledger_.total(block->group).temporary;
}

void AllocationTotals::on_unreachable(const UnreachableBlocks& unreachable) {
  if (!ledger_.covers(unreachable.time, unreachable.process)) return;
  ProcessMemory& process = ledger_.process(unreachable.process);
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
    if (block == nullptr || block->made < ledger_.window().from) continue;
    AllocationTotal& total = ledger_.total(block->group);
    const BlockCount weight = weight_of(block->size);
    total.unreachable.add(weight);
    total.indirect += each.is_indirect ? weight.blocks : 0;
    const LiveBlock* owner = each.is_indirect ? live_[index_of(id)].find(each.owner) : nullptr;
    if (owner != nullptr && owner->group != block->group && owner->made >= ledger_.window().from)
      ledger_.hang(owner->group, block->group, weight);
    ledger_.process(id).unreachable.add(weight);
  }
  unreachable_.erase(found);
}

void AllocationTotals::leave_all(ProcessId id) {
  ProcessMemory& process = ledger_.process(id);
  count_unreachable(id);
  live_[index_of(id)].for_each([&](const LiveBlock& block) {
    if (block.made < ledger_.window().from) return;
    AllocationTotal& total = ledger_.total(block.group);
    ledger_.leave(total, process, weight_of(block.size), block.made);
  });
  live_[index_of(id)].clear();
}

void AllocationTotals::on_process(const ProcessEvent& event) {
  if (!ledger_.covers(event.time, event.process)) return;
  ledger_.go_to(event.time);
  ProcessMemory& process = ledger_.process(event.process);
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
  ledger_.go_to(INT64_MAX);
  const auto count = ledger_.processes().size();
  for (size_t i = 1; i < count; ++i) leave_all(id_at<ProcessId>(i));
  ledger_.finish();
  // Unknown releases of a forked child are of what it inherited. Elsewhere they are of blocks from before the recording
  // began. Both say nothing against the blocks that were seen.
  for (size_t i = 1; i < count; ++i) {
    const uint64_t unseen = ledger_.processes()[i].unseen_releases;
    if (unseen != 0) losses_.push_back({LossKind::unseen_release, unseen, id_at<ProcessId>(i), {}});
  }
}

}  // namespace culprit
