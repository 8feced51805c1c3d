// An EventSink that is one of these, too, gets allocations by the thousand: it does less with one than a call costs, or
// can prepare for those to come.
#pragma once

#include <span>

#include "model/allocation_event.h"

namespace culprit {

class AllocationBatches {
 public:
  // In place of on_allocation() for each. In order of time, and nothing else happens between them.
  virtual void on_allocations(std::span<const AllocationEvent> events) = 0;

 protected:
  ~AllocationBatches() = default;
};

}  // namespace culprit
