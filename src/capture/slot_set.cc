#include "capture/slot_set.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>

#include "base/syscall.h"

namespace culprit {
namespace {

struct LostMeaning {
  culprit_lost_kind kind;
  LossKind loss;
  const char* detail;
};
constexpr LostMeaning lost_meanings[] = {
    {CULPRIT_LOST_RING_FULL, LossKind::ring_full, ""},
    {CULPRIT_LOST_NESTED, LossKind::nested_event, ""},
    {CULPRIT_LOST_NAME_CUT, LossKind::name_truncated, ""},
    {CULPRIT_LOST_EXEC_NOT_FOLLOWED, LossKind::process_not_followed,
     "an exec the agent could not go along with: a set-uid program, its library out of reach, or too large an "
     "environment"},
    {CULPRIT_LOST_SAMPLE, LossKind::memory_limit, "blocks of the sample that the agent had no place to remember"},
    {CULPRIT_LOST_CLOCK, LossKind::kernel_silent,
     "a thread may not read the clock any more (seccomp's strict mode, PR_SET_TSC): nothing of it is recorded since"},
};
constexpr uint64_t believable_count = uint64_t{1} << 48;

}  // namespace

uint32_t SlotSet::scan_end() {
  used_end_ = std::max(used_end_, std::min(load_shared(memory_.header().slot_end), memory_.slot_count()));
  return used_end_;
}

SlotSet::Slot* SlotSet::recognize(uint32_t index) {
  if (slots_[index] != nullptr) return slots_[index].get();
  culprit_slot& shared_slot = memory_.slot(index);
  uint32_t process_index = load_shared(shared_slot.process);
  WatchedProcess* owner = images_.owner_of(process_index, load_shared(shared_slot.pid));
  if (owner == nullptr) {
    refused_pids_[index] = load_shared(shared_slot.pid);
    return nullptr;
  }
  if (owner->record != static_cast<int>(process_index)) {
    if (owner->record >= 0) retire_(*owner);
    images_.adopt(*owner, process_index);
  }
  slots_[index] = std::make_unique<Slot>();
  Slot& slot = *slots_[index];
  slot.owner = owner;
  slot.tid = load_shared(shared_slot.tid);
  slot.process_index = process_index;
  slot.decoder.emplace(shared_, *owner, slot.tid, images_.table_generation(*owner));
  tell_name(slot);
  return &slot;
}

void SlotSet::tell_name(Slot& slot) {
  auto name = read_whole_file(fmt::format("/proc/{}/task/{}/comm", slot.owner->pid, slot.tid), 64);
  if (!name) return;
  while (!name->empty() && name->back() == '\n') name->pop_back();
  StringId id = shared_.tables.intern(*name);
  if (id == slot.name) return;
  slot.name = id;
  shared_.events.on_thread(ThreadEvent{monotonic_now(), slot.owner->id, slot.tid, id});
}

void SlotSet::count_losses(uint32_t index, Slot& slot) {
  const culprit_slot& shared_slot = memory_.slot(index);
  for (const LostMeaning& row : lost_meanings) {
    uint64_t count = load_shared(shared_slot.lost[row.kind]);
    if (count <= slot.lost[row.kind] || count > believable_count) continue;
    shared_.losses.add(row.loss, count - slot.lost[row.kind], slot.owner->id, row.detail);
    slot.lost[row.kind] = count;
  }
  uint64_t bad = slot.reader.take_bad_records() + slot.decoder->take_bad_records();
  shared_.losses.add(LossKind::block_damaged, bad, slot.owner->id, "records of the agent that make no sense");
}

uint64_t SlotSet::drain(uint32_t index, Slot& slot) {
  uint64_t taken = slot.reader.drain(memory_.slot(index), *slot.decoder);
  memory_.beat();  // threads that wait for room look at it
  count_losses(index, slot);
  return taken;
}

void SlotSet::free(uint32_t index) {
  slots_[index].reset();
  memory_.free_slot(index);
}

uint64_t SlotSet::drain_all() {
  uint64_t taken = 0;
  uint32_t end = scan_end();
  for (uint32_t i = 0; i < end; i++) {
    uint32_t state = load_shared(memory_.slot(i).state);  // before the drain: a CLOSED slot's ring is complete
    if (state != CULPRIT_SLOT_LIVE && state != CULPRIT_SLOT_CLOSED) continue;
    Slot* slot = recognize(i);
    if (slot != nullptr) taken += drain(i, *slot);
    if (state == CULPRIT_SLOT_CLOSED) free(i);
  }
  return taken;
}

void SlotSet::drain_process(const WatchedProcess& process) {
  uint32_t end = scan_end();
  for (uint32_t i = 0; i < end; i++) {
    const culprit_slot& slot = memory_.slot(i);
    uint32_t state = load_shared(slot.state);
    if ((state != CULPRIT_SLOT_LIVE && state != CULPRIT_SLOT_CLOSED) || load_shared(slot.pid) != process.pid) continue;
    if (Slot* known = recognize(i); known != nullptr && known->owner == &process) drain(i, *known);
  }
}

void SlotSet::free_process(const WatchedProcess& process) {
  uint32_t end = scan_end();
  for (uint32_t i = 0; i < end; i++) {
    Slot* slot = slots_[i].get();
    if (slot != nullptr && slot->owner == &process) {
      drain(i, *slot);
      free(i);
    }
  }
  if (!process.ended) return;
  // Slots that were claimed but never used.
  for (uint32_t i = 0; i < end; i++) {
    if (slots_[i] == nullptr && load_shared(memory_.slot(i).pid) == process.pid &&
        load_shared(memory_.slot(i).state) != CULPRIT_SLOT_FREE) {
      memory_.free_slot(i);
    }
  }
}

void SlotSet::check_threads() {
  for (uint32_t i = 0; i < used_end_; i++) {
    Slot* slot = slots_[i].get();
    if (slot == nullptr) {
      uint32_t pid = load_shared(memory_.slot(i).pid);
      bool is_leftover = pid != 0 && pid == refused_pids_[i] && access(fmt::format("/proc/{}", pid).c_str(), F_OK) != 0;
      if (is_leftover) memory_.free_slot(i);
      continue;
    }
    bool is_there = access(fmt::format("/proc/{}/task/{}", slot->owner->pid, slot->tid).c_str(), F_OK) == 0;
    if (is_there) {
      tell_name(*slot);
    } else if (access(fmt::format("/proc/{}", slot->owner->pid).c_str(), F_OK) == 0) {
      drain(i, *slot);  // the process lives on; where it does not, its end is told first
      free(i);
    }
  }
}

std::vector<SlotRequest> SlotSet::requests() {
  std::vector<SlotRequest> found;
  for (uint32_t i = 0; i < used_end_; i++) {
    if (slots_[i] == nullptr) continue;
    const culprit_slot& slot = memory_.slot(i);
    uint32_t number = load_shared(slot.request_number);
    if (number == load_shared(slot.reply_number)) continue;
    found.push_back({i, number, load_shared(slot.request_kind), load_shared(slot.request_argument),
                     load_shared(slot.request_end), slots_[i]->owner});
  }
  return found;
}

bool SlotSet::has_work(size_t waiting) {
  uint32_t end = scan_end();
  for (uint32_t i = 0; i < end; i++) {
    const culprit_slot& slot = memory_.slot(i);
    uint32_t state = load_shared(slot.state);
    if (state == CULPRIT_SLOT_FREE || state == CULPRIT_SLOT_CLAIMED) continue;
    if (state == CULPRIT_SLOT_CLOSED) return true;
    if (slots_[i] == nullptr && refused_pids_[i] != load_shared(slot.pid)) return true;
    if (slots_[i] == nullptr) continue;
    const bool is_asking = load_shared(slot.request_number) != load_shared(slot.reply_number);
    if (is_asking && waiting-- == 0) return true;
  }
  return false;
}

}  // namespace culprit
