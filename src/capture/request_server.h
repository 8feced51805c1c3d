// Answers what agents ask. Each answer is given while a thread of the victim waits, no longer than
// wire/agent_session.h says.
#pragma once

#include "capture/exiting_process.h"
#include "capture/slot_set.h"

namespace culprit {

class RequestServer {
 public:
  RequestServer(SessionMemory& memory, ProcessImages& images, SlotSet& slots, DecoderShared& shared)
      : memory_(memory), images_(images), slots_(slots), shared_(shared) {}

  // Nothing, as at first: processes may always end.
  void ask_before_exits(MayEnd may_end) { may_end_ = std::move(may_end); }

  // Answers the requests there are, but for those whose time has not come. How many.
  size_t serve();
  // Requests that have been seen and could not be answered yet.
  size_t waiting() const { return waiting_; }

  // Reads the handle table of a process into the recording. False: it cannot be read (any more).
  bool snapshot(WatchedProcess& process, SnapshotReason reason, bool held);

 private:
  std::optional<bool> answer(const SlotRequest& request);  // nothing: not yet
  std::optional<bool> let_end(const SlotRequest& request);
  bool say_hello(WatchedProcess& process);
  bool tell_ranges(WatchedProcess& process, uint64_t pc);
  bool tell_stack(const SlotRequest& request);
  bool forget_code(const SlotRequest& request);
  bool tell_entry(const SlotRequest& request);

  SessionMemory& memory_;
  ProcessImages& images_;
  SlotSet& slots_;
  DecoderShared& shared_;
  MayEnd may_end_;
  size_t waiting_ = 0;
};

}  // namespace culprit
