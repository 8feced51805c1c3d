// The part of HandleLifetimes that compares what events say with what /proc/PID/fd had. Three races decide what may be
// believed: a creation is stamped after the kernel made it, a close before the kernel does it, and reading /proc takes
// time during which the process may run on. Therefore a snapshot is looked at when all events up to its end are known,
// numbers that changed since its begin say nothing, and what nobody explains waits for a second sighting.
#include <algorithm>

#include "analysis/handle_lifetimes.h"
#include "analysis/type_evidence.h"

namespace culprit {

namespace {

// Between the stamp of a fork and the copy the kernel makes, other threads go on opening and closing.
constexpr Time fork_race = 50'000'000;

bool says_nothing(const Slot& slot, const HandleSnapshot& snapshot) {
  return slot.last_change != 0 && slot.last_change >= snapshot.begin &&
         (!snapshot.held || slot.last_change > snapshot.end);
}

}  // namespace

void HandleLifetimes::on_snapshot(const HandleSnapshot& snapshot) {
  if (!known(snapshot.process) || !sane(snapshot.begin) || !sane(snapshot.end)) return;
  if (snapshot.begin > settle_after_) settle(snapshot.begin);
  now_ = std::max(now_, snapshot.begin);
  table_of(snapshot.process, snapshot.begin);
  ProcessFacts& facts = facts_of(snapshot.process);
  if (facts.ended) return;
  if (snapshot.handle_limit != 0) facts.limit = snapshot.handle_limit;
  pending_.push_back({snapshot, tables_in_use_[index_of(snapshot.process)]});
  next_settle_time();
}

void HandleLifetimes::next_settle_time() {
  settle_after_ = held_back_ ? held_back_->life.closed : INT64_MAX;
  for (const PendingSnapshot& pending : pending_) settle_after_ = std::min(settle_after_, pending.snapshot.end);
}

void HandleLifetimes::settle(Time now) {
  if (held_back_ && held_back_->life.closed < now) release_held_back();
  std::vector<PendingSnapshot> ready;
  std::erase_if(pending_, [&](PendingSnapshot& pending) {
    if (pending.snapshot.end >= now) return false;
    ready.push_back(std::move(pending));
    return true;
  });
  for (PendingSnapshot& pending : ready) reconcile(*pending.table, pending.snapshot);
  next_settle_time();
}

void HandleLifetimes::settle_table(const HandleTable* table) {
  std::vector<PendingSnapshot> ready;
  std::erase_if(pending_, [&](PendingSnapshot& pending) {
    if (pending.table.get() != table) return false;
    ready.push_back(std::move(pending));
    return true;
  });
  for (PendingSnapshot& pending : ready) reconcile(*pending.table, pending.snapshot);
  next_settle_time();
}

void HandleLifetimes::reconcile(HandleTable& table, const HandleSnapshot& snapshot) {
  ++table.generation;
  for (const SnapshotEntry& entry : snapshot.entries) reconcile_entry(table, snapshot, entry);
  reconcile_missing(table, snapshot);
  table.has_baseline = true;
  table.exec_pending = false;
}

void HandleLifetimes::reconcile_entry(HandleTable& table, const HandleSnapshot& snapshot, const SnapshotEntry& entry) {
  Slot* slot = table.slot(entry.value);
  if (!slot) return;
  slot->seen = table.generation;
  if (says_nothing(*slot, snapshot)) return;
  auto text = [&](StringId id) {
    return index_of(id) < tables_.strings.size() ? tables_.text(id) : std::string_view();
  };

  if (slot->state == SlotState::open) {
    HandleLife& life = slot->life;
    const bool other_inode = life.inode != 0 && entry.object != 0 && life.inode != entry.object;
    if (!other_inode && !types_contradict(text(life.type), text(entry.type))) {
      if (type_improves(text(life.type), text(entry.type))) life.type = entry.type;
      if (name_improves(text(life.type), text(life.name), text(entry.name))) life.name = entry.name;
      if (entry.object != 0) life.inode = entry.object;
      return;
    }
    gone(table, *slot, HowClosed::vanished, snapshot.begin);
  } else if (slot->state == SlotState::suspect && slot->life.inode == entry.object && slot->life.type == entry.type) {
    return found_open(table, *slot, snapshot, entry, slot->life.how_created, SlotState::open);
  }
  if (!table.has_baseline) return found_open(table, *slot, snapshot, entry, HowCreated::existing, SlotState::open);

  const ProcessFacts& facts = facts_of(snapshot.process);
  if (slot->last_change == 0 && table.forked != 0 && known(facts.parent) && tables_in_use_[index_of(facts.parent)]) {
    // Opened in the parent just before the copy and stamped after it, or closed just after and stamped before.
    Slot* parents = tables_in_use_[index_of(facts.parent)]->find(entry.value);
    if (parents && parents->last_change != 0 && std::abs(parents->last_change - table.forked) < fork_race) {
      return found_open(table, *slot, snapshot, entry, HowCreated::inherit, SlotState::open);
    }
  }
  const bool certain = snapshot.held || snapshot.reason == SnapshotReason::exit;
  found_open(table, *slot, snapshot, entry, HowCreated::unknown_origin, certain ? SlotState::open : SlotState::suspect);
}

void HandleLifetimes::found_open(HandleTable& table, Slot& slot, const HandleSnapshot& snapshot,
                                 const SnapshotEntry& entry, HowCreated how, SlotState state) {
  if (slot.state != SlotState::suspect || slot.life.inode != entry.object || slot.life.type != entry.type) {
    slot.life = HandleLife{};
    slot.life.value = entry.value;
    slot.life.created = slot.life.made = snapshot.begin;
    slot.life.object = ++last_object_;
    slot.life.owning = snapshot.process;
    slot.life.how_created = how;
  }
  slot.life.inode = entry.object;
  slot.life.type = slot.life.call_type = entry.type;
  slot.life.name = entry.name;
  slot.state = state;
  if (state != SlotState::open) return;
  ++table.open;
  ProcessFacts& facts = facts_of(snapshot.process);
  facts.inherited += how == HowCreated::inherit || how == HowCreated::existing ? 1 : 0;
  facts.most_open = std::max<uint64_t>(facts.most_open, table.open);
}

void HandleLifetimes::reconcile_missing(HandleTable& table, const HandleSnapshot& snapshot) {
  const bool after_exec = table.exec_pending || snapshot.reason == SnapshotReason::exec;
  const Time exec_time = table.exec_pending ? table.exec_time : snapshot.begin;
  table.each([&](Slot& slot) {
    if (slot.state == SlotState::empty || slot.seen == table.generation) return;
    if (slot.state == SlotState::suspect) {
      slot.state = SlotState::empty;
      return;
    }
    HandleLife& life = slot.life;
    if (says_nothing(slot, snapshot) || life.created > snapshot.begin) return;
    if (after_exec && life.created <= exec_time) return gone(table, slot, HowClosed::exec, exec_time);
    const bool inherited_in_race = life.how_created == HowCreated::inherit && life.creating != ProcessId::none &&
                                   life.created - life.made < fork_race;
    if (inherited_in_race && slot.last_change == 0) {  // it was made after the kernel's copy: it has never been there
      slot.state = SlotState::empty;
      --table.open;
      return;
    }
    gone(table, slot, HowClosed::vanished, snapshot.begin);
  });
}

}  // namespace culprit
