// Keeps the calling thread on the processor of the thread it waits for: stopping and continuing a thread on another
// processor costs five times as much.
#pragma once

#include <sched.h>

#include <cstdint>

#include "model/ids.h"

namespace culprit {

class CpuFollower {
 public:
  CpuFollower();
  ~CpuFollower();
  CpuFollower(const CpuFollower&) = delete;
  CpuFollower& operator=(const CpuFollower&) = delete;

  // `tid` has just stopped. Looks where it runs, now and then.
  void stopped(uint32_t tid, Time now);

 private:
  cpu_set_t original_;
  int processor_ = -1;
  Time next_look_ = 0;
};

}  // namespace culprit
