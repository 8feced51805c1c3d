// A better share of the CPU for a thread of ours that others depend on.
#pragma once

#include <sys/resource.h>

namespace culprit {

// Busy programs would starve the recorder, and then their events are lost. Where it is not permitted, it goes without.
// While it lives; for the calling thread, and for those it starts.
class RaisedPriority {
 public:
  RaisedPriority() : original_(getpriority(PRIO_PROCESS, 0)) { setpriority(PRIO_PROCESS, 0, original_ - 10); }
  ~RaisedPriority() { setpriority(PRIO_PROCESS, 0, original_); }
  RaisedPriority(const RaisedPriority&) = delete;
  RaisedPriority& operator=(const RaisedPriority&) = delete;

 private:
  int original_;
};

}  // namespace culprit
