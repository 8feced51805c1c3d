// Whether handles of a process are duplicates of each other: one object, one offset.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"

namespace culprit {

// Those of `candidates` (at most a thousand are asked about) that share the object of `value`. Errors: no_access,
// unsupported (a kernel without kcmp), gone.
Result<std::vector<int64_t>> same_objects(uint32_t pid, int64_t value, std::span<const int64_t> candidates);

}  // namespace culprit
