// Turns events into lives of handles: which creation belongs to which end, what a fork copied, what an exec or the end
// of the process closed, and what /proc/PID/fd knew better.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "analysis/handle_life.h"
#include "analysis/handle_report.h"
#include "analysis/handle_table.h"
#include "model/event_sink.h"
#include "model/trace.h"

namespace culprit {

struct ProcessFacts {
  bool seen = false;  // some event named it
  bool ended = false;
  ProcessEnd end = ProcessEnd::running;
  int32_t status = 0;
  ProcessId parent = ProcessId::none;
  Time start = 0, stop = 0;
  uint64_t limit = 0;  // soft RLIMIT_NOFILE, newest; 0: unknown
  uint64_t created = 0, inherited = 0, closed = 0, failed_closes = 0;
  uint64_t open_at_end = 0, most_open = 0;
};

// Streams: a life is handed on when it ends and then forgotten; memory is what is open at one time. Events must come in
// order of time. Ids outside the tables are taken for none.
class HandleLifetimes final : public EventSink {
 public:
  // Both must outlive this.
  HandleLifetimes(const TraceTables& tables, HandleLifeSink& lives, const HandleBudget& budget = {})
      : tables_(tables), lives_(lives), budget_(budget) {}

  void on_handle(const HandleEvent& event) override;
  void on_process(const ProcessEvent& event) override;
  void on_thread(const ThreadEvent&) override {}
  void on_snapshot(const HandleSnapshot& snapshot) override;
  void on_mark(const Mark&) override {}
  void on_loss(const Loss&) override {}
  // The state of things at the beginning of a window; before all events.
  void on_carried(const CarriedTable& table) override;

  // What on_carried of another one needs to go on from here, one table at a time. Moment: that of the last event.
  void carry_out(Time as_of, const std::function<void(const CarriedTable&)>& send);
  // Snapshots that end until then have been compared with the events before. What is returned is the latest end of those
  // that have begun and end later; 0: there are none.
  Time settled_until(Time time);
  void drop_unsettled();
  uint64_t refused() const { return budget_.refused; }  // events that found no room in the tables

  // The recording ends: hands on what is still open. Nothing may follow.
  void finish(Time end);

  const std::vector<ProcessFacts>& processes() const { return facts_; }  // index: ProcessId
  // Of our own making: handles of unknown origin, vanished ones, what found no room.
  std::vector<Loss> losses() const;
  Time last_event() const { return now_; }  // after finish(): the end of the recording

 private:
  struct PendingSnapshot {
    HandleSnapshot snapshot;
    std::shared_ptr<HandleTable> table;
  };
  // A life ended by a new handle of the same number: kept back while an event of the very same time may say better why.
  struct HeldBack {
    HandleLife life;
    const HandleTable* table;
    uint32_t new_tid;
  };

  bool known(ProcessId process) const {
    return process != ProcessId::none && index_of(process) < tables_.processes.size();
  }
  // Far from overflow in all sums and differences; a damaged recording may hold anything.
  static bool sane(Time time) { return time >= 0 && time < Time{1} << 61; }
  HandleTable& table_of(ProcessId process, Time time);
  void take_in(HandleTable& table, const CarriedHandle& handle);
  CarriedTable carried_table(HandleTable& table, const std::vector<ProcessId>& processes, Time as_of);
  ProcessFacts& facts_of(ProcessId process);
  void opened(HandleTable& table, const HandleEvent& event);
  void displaced(HandleTable& table, Slot& slot, const HandleEvent& event);
  void closed(HandleTable& table, const HandleEvent& event);
  void closed_range(HandleTable& table, const HandleEvent& event);
  void close_slot(HandleTable& table, Slot& slot, const HandleEvent& event);
  bool closes_held_back(const HandleTable& table, const HandleEvent& event);
  void forked(const ProcessEvent& event);
  void executed(const ProcessEvent& event);
  void ended(const ProcessEvent& event);
  std::shared_ptr<HandleTable> copy_of(HandleTable& table, ProcessId owner, Time time);
  void settle(Time now);
  void settle_table(const HandleTable* table);
  void reconcile(HandleTable& table, const HandleSnapshot& snapshot);
  void reconcile_entry(HandleTable& table, const HandleSnapshot& snapshot, const SnapshotEntry& entry);
  void reconcile_missing(HandleTable& table, const HandleSnapshot& snapshot);
  void found_open(HandleTable& table, Slot& slot, const HandleSnapshot& snapshot, const SnapshotEntry& entry,
                  HowCreated how, SlotState state);
  void gone(HandleTable& table, Slot& slot, HowClosed how, Time time);
  void give_up(HandleTable& table, ProcessId process, Time time, HowClosed how);
  void emit(const HandleLife& life);
  void release_held_back();
  void next_settle_time();

  const TraceTables& tables_;
  HandleLifeSink& lives_;
  HandleBudget budget_;
  std::vector<std::shared_ptr<HandleTable>> tables_in_use_;  // index: ProcessId; shared after clone(CLONE_FILES)
  std::vector<ProcessFacts> facts_;                          // index: ProcessId
  std::vector<PendingSnapshot> pending_;                     // whose time of reading is not over yet
  std::optional<HeldBack> held_back_;
  Time settle_after_ = INT64_MAX;  // the first event later than this has to look at pending_ and held_back_
  Time now_ = 0;
  uint64_t last_object_ = 0;
  uint64_t unknown_origin_ = 0, vanished_ = 0;
};

}  // namespace culprit
