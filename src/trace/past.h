// What blocks of circular recordings say of all those before them, which may have been overwritten.
#pragma once

#include <cstdint>

#include "model/ids.h"

namespace culprit {

struct Past {
  uint64_t events = 0;
  Time newest = INT64_MIN;  // the latest time of any event in them
};

}  // namespace culprit
