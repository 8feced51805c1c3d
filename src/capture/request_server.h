// Answers what agents ask. Each answer is given while a thread of the victim waits (at most CULPRIT_WAIT_NS).
#pragma once

#include "capture/slot_set.h"

namespace culprit {

class RequestServer {
 public:
  RequestServer(SessionMemory& memory, ProcessImages& images, SlotSet& slots, DecoderShared& shared)
      : memory_(memory), images_(images), slots_(slots), shared_(shared) {}

  // Answers all requests there are. How many.
  size_t serve();

  // Reads the handle table of a process into the recording. False: it cannot be read (any more).
  bool snapshot(WatchedProcess& process, SnapshotReason reason, bool held);

 private:
  bool answer(const SlotRequest& request);
  bool say_hello(WatchedProcess& process);
  bool tell_ranges(WatchedProcess& process, uint64_t pc);
  bool tell_stack(const SlotRequest& request);
  bool forget_code(const SlotRequest& request);
  bool tell_entry(const SlotRequest& request);

  SessionMemory& memory_;
  ProcessImages& images_;
  SlotSet& slots_;
  DecoderShared& shared_;
};

}  // namespace culprit
