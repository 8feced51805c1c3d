// The part of HandleLifetimes that hands its state on: a circular recording forgets events, and keeps what they led to.
#include <algorithm>
#include <unordered_map>

#include "analysis/handle_lifetimes.h"

namespace culprit {

void HandleLifetimes::on_carried(const CarriedTable& carried) {
  if (carried.processes.empty() || !sane(carried.as_of) || !sane(carried.exec_time) || !sane(carried.forked)) return;
  const ProcessId first = carried.processes.front().process;
  if (!known(first)) return;
  now_ = std::max(now_, carried.as_of);
  HandleTable& table = table_of(first, carried.as_of);
  table.owner = known(carried.owner) ? carried.owner : first;
  table.has_baseline = carried.has_baseline;
  table.exec_pending = carried.exec_pending;
  table.exec_time = carried.exec_time;
  table.forked = carried.forked;
  for (const CarriedProcess& process : carried.processes) {
    if (!known(process.process)) continue;
    ProcessFacts& facts = facts_of(process.process);
    facts.seen = true;
    facts.start = sane(process.start) ? process.start : carried.as_of;
    facts.parent = known(process.parent) ? process.parent : ProcessId::none;
    facts.limit = process.handle_limit;
    facts.created = process.created;
    facts.inherited = process.inherited;
    facts.closed = process.closed;
    facts.failed_closes = process.failed_closes;
    facts.most_open = process.most_open;
    tables_in_use_[index_of(process.process)] = tables_in_use_[index_of(first)];
  }
  for (const CarriedHandle& handle : carried.handles) take_in(table, handle);
}

void HandleLifetimes::take_in(HandleTable& table, const CarriedHandle& handle) {
  if (!sane(handle.created) || !sane(handle.made)) return;
  Slot* slot = table.slot(handle.value);
  if (!slot || slot->state != SlotState::empty) return;
  HandleLife& life = slot->life;
  life = HandleLife{};
  life.value = handle.value;
  life.created = handle.created;
  life.made = handle.made;
  life.object = handle.object;
  life.inode = handle.inode;
  life.type = handle.type;
  life.call_type = handle.call_type;
  life.name = handle.name;
  life.created_call = handle.call;
  life.created_stack = handle.stack;
  life.created_tid = handle.tid;
  life.creating = known(handle.creating) ? handle.creating : ProcessId::none;
  life.owning = known(handle.owning) ? handle.owning : table.owner;
  life.how_created = handle.how;
  last_object_ = std::max(last_object_, handle.object);
  slot->last_change = handle.changed ? handle.created : 0;
  slot->state = handle.suspected ? SlotState::suspect : SlotState::open;
  table.open += handle.suspected ? 0 : 1;
}

CarriedTable HandleLifetimes::carried_table(HandleTable& table, const std::vector<ProcessId>& processes, Time as_of) {
  CarriedTable carried{.as_of = as_of,
                       .owner = table.owner,
                       .has_baseline = table.has_baseline,
                       .exec_pending = table.exec_pending,
                       .exec_time = table.exec_time,
                       .forked = table.forked};
  for (ProcessId process : processes) {
    const ProcessFacts& facts = facts_of(process);
    carried.processes.push_back({.process = process,
                                 .parent = facts.parent,
                                 .start = facts.start,
                                 .handle_limit = facts.limit,
                                 .created = facts.created,
                                 .inherited = facts.inherited,
                                 .closed = facts.closed,
                                 .failed_closes = facts.failed_closes,
                                 .most_open = facts.most_open});
  }
  table.each([&](const Slot& slot) {
    if (slot.state == SlotState::empty) return;
    const HandleLife& life = slot.life;
    carried.handles.push_back({.value = life.value,
                               .created = life.created,
                               .made = life.made,
                               .object = life.object,
                               .inode = life.inode,
                               .type = life.type,
                               .call_type = life.call_type,
                               .name = life.name,
                               .call = life.created_call,
                               .stack = life.created_stack,
                               .creating = life.creating,
                               .owning = life.owning,
                               .tid = life.created_tid,
                               .how = life.how_created,
                               .suspected = slot.state == SlotState::suspect,
                               .changed = slot.last_change != 0});
  });
  return carried;
}

void HandleLifetimes::carry_out(Time as_of, const std::function<void(const CarriedTable&)>& send) {
  release_held_back();
  std::vector<std::pair<HandleTable*, std::vector<ProcessId>>> tables;
  std::unordered_map<const HandleTable*, size_t> places;
  for (size_t i = 0; i < tables_in_use_.size(); ++i) {
    HandleTable* table = tables_in_use_[i].get();
    if (!table) continue;
    auto [place, is_new] = places.try_emplace(table, tables.size());
    if (is_new) tables.push_back({table, {}});
    tables[place->second].second.push_back(id_at<ProcessId>(i));
  }
  for (const auto& [table, processes] : tables) send(carried_table(*table, processes, as_of));
}

Time HandleLifetimes::settled_until(Time time) {
  settle(time + 1);
  Time latest = 0;
  for (const PendingSnapshot& pending : pending_) latest = std::max(latest, pending.snapshot.end);
  return latest;
}

void HandleLifetimes::drop_unsettled() {
  pending_.clear();
  next_settle_time();
}

}  // namespace culprit
