// Turns the system calls of traced threads into handle events.
#pragma once

#include <string>

#include "capture/call_names.h"
#include "capture/loss_counter.h"
#include "capture/traced_calls.h"
#include "capture/traced_process.h"
#include "capture/tracee_stacks.h"

namespace culprit {

class TracedHandles {
 public:
  TracedHandles(TraceTables& tables, EventSink& events, LossCounter& losses, TraceeStacks& stacks)
      : tables_(tables), events_(events), losses_(losses), stacks_(stacks), calls_(tables) {}

  // The thread is about to make thread.call.
  void on_entry(Tracee& thread);
  // It has made it.
  void on_exit(Tracee& thread, int64_t result, Time now);

  // It will not be seen at the exit of thread.call: it is let go, or ends.
  void on_end_of_sight(Tracee& thread, bool is_ending);

  // From now on the handle table is compared with what events tell.
  void begin_to_compare(Tracee& thread);
  // What comparing found, and nobody else told.
  void settle(TracedProcess& process, Time now);

  // Of a thread that stands at the entry or exit of a call.
  StackId stack_of(Tracee& thread);

 private:
  HandleEvent new_event(Tracee& thread, HandleAction action, Time time);
  void close(Tracee& thread);
  void note_unshare(Tracee& thread);
  void note_code(Tracee& thread, CallKind kind, int64_t result);
  void make(Tracee& thread, int64_t result, Time now);
  void describe(const Tracee& thread, HandleEvent& event);
  void hand_on(Tracee& thread, const HandleEvent& event);

  void look_for_answers(Tracee& thread, Time now);
  void compare(Tracee& thread, Time now);
  void found(Tracee& thread, int32_t number, HandleAction action, Time time);
  void describe_found(const Tracee& thread, HandleEvent& event);

  TraceTables& tables_;
  EventSink& events_;
  LossCounter& losses_;
  TraceeStacks& stacks_;
  CallNames calls_;
  uint64_t answers_ = 0;  // handles put into other tables by those who listen to system calls
};

}  // namespace culprit
