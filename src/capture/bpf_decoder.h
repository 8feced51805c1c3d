// Turns events of the kernel side into those of the model.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "capture/bpf_event.h"
#include "capture/bpf_processes.h"
#include "capture/bpf_stacks.h"
#include "capture/call_names.h"
#include "capture/loss_counter.h"

namespace culprit {

class BpfDecoder {
 public:
  BpfDecoder(TraceTables& tables, EventSink& events, LossCounter& losses, BpfProcesses& processes,
             BpfTables& unwind_tables, BpfStacks& stacks)
      : tables_(tables),
        events_(events),
        losses_(losses),
        processes_(processes),
        unwind_tables_(unwind_tables),
        stacks_(stacks),
        calls_(tables) {}

  // False: the kernel side waits for an answer (publish_code), before which stacks are costly.
  bool on_event(const BpfEvent& event);
  // Events which waited for an unwind table that is there now, or for another event long enough.
  void release(Time now);
  void release_all() { release(INT64_MAX); }

  uint64_t handle_events() const { return handle_events_; }
  uint64_t waiting() const { return copied_.size() + compared_.size(); }

 private:
  void dispatch(BpfProcess& process, const BpfEvent& event);
  // Found by comparing while other threads used the table: one of them may tell better who made it.
  struct Compared {
    HandleEvent event;
    uint64_t table;
    Time until;
  };
  // Its stack was copied.
  struct Copied {
    HandleEvent event;
    StackCopy copy;
    std::shared_ptr<const CodeMap> code;  // as it was then
    Time until;
  };

  void on_mapped(BpfProcess& process, const BpfEvent& event);
  void on_handle(BpfProcess& process, const BpfEvent& event);
  HandleEvent describe(BpfProcess& process, const BpfEvent& event);
  void describe_new(HandleEvent& result, const BpfEvent& event);
  StackId stack_of(BpfProcess& process, const BpfEvent& event);
  void on_entry(BpfProcess& process, const BpfEvent& event);
  void on_table(BpfProcess& process, const BpfEvent& event);
  void on_executed(BpfProcess& process, const BpfEvent& event);
  void settle(const HandleEvent& event, uint64_t table, bool was_open);
  void hand_on(const HandleEvent& event);
  void release_copied(Time now);
  // Nothing: it takes an unwind table that is still being built.
  std::optional<StackId> unwind(const Copied& copied, bool is_late);

  TraceTables& tables_;
  EventSink& events_;
  LossCounter& losses_;
  BpfProcesses& processes_;
  BpfTables& unwind_tables_;
  BpfStacks& stacks_;
  CallNames calls_;
  std::deque<Compared> compared_;
  std::deque<Copied> copied_;
  uint64_t handle_events_ = 0;
};

}  // namespace culprit
