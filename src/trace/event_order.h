// The order of time of a block's events, which lie thread by thread.
#pragma once

#include <cstdint>
#include <vector>

#include "model/ids.h"

namespace culprit {

struct EventPlace {
  Time time;
  uint32_t recorded;  // 0, 1, 2 … in order of recording
  uint32_t slot;      // where the event itself is
};

// By time, then by recording.
void sort_by_time(std::vector<EventPlace>& places);

}  // namespace culprit
