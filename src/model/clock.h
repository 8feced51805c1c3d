// The clock that all times are taken from.
#pragma once

#include "model/ids.h"

namespace culprit {

Time monotonic_now();

}  // namespace culprit
