#include "analysis/handle_lifetimes.h"

#include <algorithm>
#include <array>

namespace culprit {

namespace {

// Calls that may return a number that is in use. After any other call a number in use means that its close was not
// seen.
constexpr std::array<std::string_view, 4> replacing_calls{"dup2", "dup3", "fcntl(F_DUP2FD)", "seccomp_addfd"};

// A creation is stamped when the call has returned; a snapshot may see it that much earlier (the thread was preempted).
constexpr Time late_stamp = 1'000'000'000;

bool may_replace(std::string_view call) {
  return call.empty() || std::find(replacing_calls.begin(), replacing_calls.end(), call) != replacing_calls.end();
}

}  // namespace

HandleTable& HandleLifetimes::table_of(ProcessId process, Time time) {
  facts_of(process);
  auto& table = tables_in_use_[index_of(process)];
  if (!table) {
    table = std::make_shared<HandleTable>(budget_);
    table->owner = process;
    ProcessFacts& facts = facts_[index_of(process)];
    if (!facts.seen) facts.start = time;
    facts.seen = true;
  }
  return *table;
}

ProcessFacts& HandleLifetimes::facts_of(ProcessId process) {
  if (index_of(process) >= facts_.size()) {
    facts_.resize(index_of(process) + 1);
    tables_in_use_.resize(index_of(process) + 1);
  }
  return facts_[index_of(process)];
}

void HandleLifetimes::emit(const HandleLife& life) {
  if (life.how_created == HowCreated::unknown_origin) ++unknown_origin_;
  if (life.how_closed == HowClosed::vanished) ++vanished_;
  lives_.on_life(life);
}

void HandleLifetimes::on_handle(const HandleEvent& event) {
  if (!known(event.process) || event.value < 0 || !sane(event.time)) return;
  if (event.time > settle_after_) settle(event.time);
  now_ = std::max(now_, event.time);
  HandleTable& table = table_of(event.process, event.time);
  if (facts_[index_of(event.process)].ended) return;  // a stamp later than the end of its own process
  switch (event.action) {
    case HandleAction::open:
    case HandleAction::duplicate:
    case HandleAction::receive:
      return opened(table, event);
    case HandleAction::close:
      return closed(table, event);
    case HandleAction::close_range:
      return closed_range(table, event);
  }
}

void HandleLifetimes::opened(HandleTable& table, const HandleEvent& event) {
  const bool duplicate = event.action == HandleAction::duplicate;
  if (duplicate && event.other == event.value) return;  // dup2(x, x) changes nothing
  // A copy: making the slot below may move nothing (pages stay), but replacing it may end the very handle duplicated.
  HandleLife source;
  if (duplicate) {
    if (Slot* other = table.find(event.other); other && other->state == SlotState::open) source = other->life;
  }
  Slot* slot = table.slot(event.value);
  if (!slot) return;
  if (slot->state == SlotState::open) {
    displaced(table, *slot, event);
  } else {
    ++table.open;
  }
  slot->state = SlotState::open;
  slot->last_change = event.time;
  HandleLife& life = slot->life;
  life = HandleLife{};
  life.value = event.value;
  life.created = life.made = event.time;
  life.object = source.object ? source.object : ++last_object_;
  life.inode = source.inode;
  life.call_type = event.type != StringId::none ? event.type : source.call_type;
  life.type = event.type != StringId::none ? event.type : source.type;
  life.name = event.name != StringId::none ? event.name : source.name;
  life.created_call = event.call;
  life.created_stack = event.stack;
  life.created_tid = event.tid;
  life.creating = event.process;
  life.owning = table.owner;
  life.how_created = duplicate                               ? HowCreated::duplicate
                     : event.action == HandleAction::receive ? HowCreated::receive
                                                             : HowCreated::open;
  ProcessFacts& facts = facts_[index_of(event.process)];
  ++facts.created;
  facts.most_open = std::max<uint64_t>(facts.most_open, table.open);
}

// `event` made a handle of a number that is in use.
void HandleLifetimes::displaced(HandleTable& table, Slot& slot, const HandleEvent& event) {
  const bool replaces = may_replace(index_of(event.call) < tables_.strings.size() ? tables_.text(event.call) : "");
  HandleLife& old = slot.life;
  if (!replaces && old.how_created == HowCreated::unknown_origin && event.time - old.created < late_stamp) {
    return;  // what the snapshot found was this very handle, before its creation was stamped
  }
  old.closed = event.time;
  old.how_closed = replaces ? HowClosed::replaced : HowClosed::vanished;
  old.closing = replaces ? event.process : ProcessId::none;
  if (replaces) {
    old.closed_call = event.call;
    old.closed_stack = event.stack;
    old.closed_tid = event.tid;
    ++facts_[index_of(event.process)].closed;
  }
  release_held_back();
  held_back_ = HeldBack{old, &table, event.tid};
  next_settle_time();
}

// Two threads, one time stamp: a close that is recorded after the creation that reused its number belongs to the handle
// before, as a thread cannot close what it has not been given yet.
bool HandleLifetimes::closes_held_back(const HandleTable& table, const HandleEvent& event) {
  if (!held_back_ || held_back_->table != &table || held_back_->life.value != event.value) return false;
  HandleLife& life = held_back_->life;
  if (life.closed != event.time || held_back_->new_tid == event.tid) return false;
  if (life.how_closed == HowClosed::vanished) ++facts_[index_of(event.process)].closed;
  life.how_closed = HowClosed::close;
  life.closing = event.process;
  life.closed_call = event.call;
  life.closed_stack = event.stack;
  life.closed_tid = event.tid;
  release_held_back();
  return true;
}

void HandleLifetimes::release_held_back() {
  if (!held_back_) return;
  HandleLife life = held_back_->life;
  held_back_.reset();
  emit(life);
}

void HandleLifetimes::closed(HandleTable& table, const HandleEvent& event) {
  if (held_back_ && closes_held_back(table, event)) return;
  // Of a process whose fork is not known yet, such a close must be remembered: it ended what the fork copied.
  const bool origin_pending = facts_[index_of(event.process)].parent == ProcessId::none && !table.has_baseline;
  Slot* slot = origin_pending ? table.slot(event.value) : table.find(event.value);
  if (!slot || slot->state == SlotState::empty) {
    ++facts_[index_of(event.process)].failed_closes;
    if (slot) slot->last_change = event.time;
    return;
  }
  close_slot(table, *slot, event);
}

void HandleLifetimes::closed_range(HandleTable& table, const HandleEvent& event) {
  if (event.other < event.value) return;
  table.each(event.value, event.other, [&](Slot& slot) {
    if (slot.state != SlotState::empty) close_slot(table, slot, event);
  });
}

void HandleLifetimes::close_slot(HandleTable& table, Slot& slot, const HandleEvent& event) {
  // Closing what only a snapshot has seen proves that it was there.
  if (slot.state == SlotState::open) --table.open;
  HandleLife& life = slot.life;
  life.closed = event.time;
  life.how_closed = HowClosed::close;
  life.closing = event.process;
  life.closed_call = event.call;
  life.closed_stack = event.stack;
  life.closed_tid = event.tid;
  slot.state = SlotState::empty;
  slot.last_change = event.time;
  ++facts_[index_of(event.process)].closed;
  emit(life);
}

void HandleLifetimes::gone(HandleTable& table, Slot& slot, HowClosed how, Time time) {
  HandleLife& life = slot.life;
  life.closed = time;
  life.how_closed = how;
  life.closing = how == HowClosed::exec || how == HowClosed::exit ? life.owning : ProcessId::none;
  slot.state = SlotState::empty;
  --table.open;
  if (how == HowClosed::exec && known(life.owning)) ++facts_of(life.owning).closed;
  emit(life);
}

void HandleLifetimes::on_process(const ProcessEvent& event) {
  if (!known(event.process) || !sane(event.time)) return;
  if (event.time > settle_after_) settle(event.time);
  now_ = std::max(now_, event.time);
  ProcessFacts& facts = facts_of(event.process);
  if (facts.ended) return;
  if (event.handle_limit != 0) facts.limit = event.handle_limit;
  if (!facts.seen) facts.start = event.time;
  facts.seen = true;
  switch (event.change) {
    case ProcessChange::launched:
      table_of(event.process, event.time);
      return;
    case ProcessChange::forked:
    case ProcessChange::forked_sharing:
      return forked(event);
    case ProcessChange::executed:
      return executed(event);
    case ProcessChange::exited:
    case ProcessChange::killed:
      return ended(event);
  }
}

void HandleLifetimes::forked(const ProcessEvent& event) {
  if (!known(event.parent) || event.parent == event.process) {
    table_of(event.process, event.time);
    return;
  }
  table_of(event.parent, event.time);
  ProcessFacts& facts = facts_of(event.process);
  facts.parent = event.parent;
  if (facts.limit == 0) facts.limit = facts_of(event.parent).limit;
  auto& parent = tables_in_use_[index_of(event.parent)];
  auto& child = tables_in_use_[index_of(event.process)];
  if (event.change == ProcessChange::forked_sharing) {
    if (!child) child = parent;
    return;
  }
  if (!child) {
    child = copy_of(*parent, event.process, event.time);
    return;
  }
  // The child's first events were stamped before its fork: what they did not touch is a copy.
  std::shared_ptr<HandleTable> copy = copy_of(*parent, event.process, event.time);
  std::shared_ptr<HandleTable> used = child;
  if (used == parent) return;
  used->has_baseline = copy->has_baseline;
  used->forked = event.time;
  copy->each([&](Slot& slot) {
    Slot* target = slot.state == SlotState::open ? used->slot(slot.life.value) : nullptr;
    if (!target || target->state == SlotState::open || target->last_change != 0) return;
    *target = slot;
    ++used->open;
  });
}

std::shared_ptr<HandleTable> HandleLifetimes::copy_of(HandleTable& table, ProcessId owner, Time time) {
  auto copy = std::make_shared<HandleTable>(budget_);
  copy->owner = owner;
  ProcessFacts& facts = facts_of(owner);
  table.each([&](Slot& slot) {
    if (slot.state == SlotState::empty) return;
    Slot* target = copy->slot(slot.life.value);
    if (!target) return;
    target->state = slot.state;
    target->life = slot.life;
    target->life.created = time;
    target->life.owning = owner;
    target->life.how_created = HowCreated::inherit;
    if (slot.state == SlotState::suspect) return;
    ++copy->open;
    ++facts.inherited;
  });
  copy->has_baseline = table.has_baseline;
  copy->forked = time;
  facts.most_open = std::max<uint64_t>(facts.most_open, copy->open);
  return copy;
}

void HandleLifetimes::executed(const ProcessEvent& event) {
  table_of(event.process, event.time);
  auto& table = tables_in_use_[index_of(event.process)];
  // Read while the exec happened: nobody can tell which of the two tables it shows.
  std::erase_if(pending_, [&](const PendingSnapshot& pending) {
    return pending.table == table && !pending.snapshot.held && pending.snapshot.reason != SnapshotReason::exec;
  });
  next_settle_time();
  auto waiting =
      std::count_if(pending_.begin(), pending_.end(), [&](const auto& pending) { return pending.table == table; });
  // An exec ends the sharing of a table: from here on it has a copy.
  if (table.use_count() > 1 + waiting) table = copy_of(*table, event.process, event.time);
  table->exec_pending = true;
  table->exec_time = event.time;
}

void HandleLifetimes::ended(const ProcessEvent& event) {
  ProcessFacts& facts = facts_of(event.process);
  auto table = tables_in_use_[index_of(event.process)];
  if (table) {
    release_held_back();
    settle_table(table.get());
  }
  facts.ended = true;
  facts.end = event.change == ProcessChange::exited ? ProcessEnd::exited : ProcessEnd::killed;
  facts.status = event.status;
  facts.stop = event.time;
  if (!table) return;
  tables_in_use_[index_of(event.process)].reset();
  if (table.use_count() == 1)
    give_up(*table, event.process, event.time, HowClosed::exit);  // no other process shares it
}

// The last process of a table is over, or the recording is.
void HandleLifetimes::give_up(HandleTable& table, ProcessId process, Time time, HowClosed how) {
  facts_of(process).open_at_end = table.open;
  table.each([&](Slot& slot) {
    // Nothing ever happened to this number but that a snapshot saw it open: then its creation was not seen.
    if (slot.state == SlotState::suspect && slot.last_change == 0) {
      slot.state = SlotState::open;
      ++table.open;
    }
    if (slot.state != SlotState::open) return;
    gone(table, slot, how, time);
  });
}

void HandleLifetimes::finish(Time end) {
  end = now_ = std::max(sane(end) ? end : 0, now_);
  settle(INT64_MAX);
  for (size_t i = 0; i < tables_in_use_.size(); ++i) {
    auto table = std::move(tables_in_use_[i]);
    if (table && table.use_count() == 1) give_up(*table, id_at<ProcessId>(i), end, HowClosed::still_open);
  }
  for (ProcessFacts& facts : facts_) {
    if (!facts.ended) facts.stop = end;
  }
}

std::vector<Loss> HandleLifetimes::losses() const {
  std::vector<Loss> losses;
  if (unknown_origin_) losses.push_back({LossKind::unknown_origin, unknown_origin_, ProcessId::none, {}});
  if (vanished_) losses.push_back({LossKind::vanished_handle, vanished_, ProcessId::none, {}});
  if (budget_.refused) {
    losses.push_back(
        {LossKind::memory_limit, budget_.refused, ProcessId::none, "more handles open at one time than are followed"});
  }
  return losses;
}

}  // namespace culprit
