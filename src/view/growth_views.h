// The answer of `culprit heap PID --suspect`.
#pragma once

#include <string>

#include "analysis/allocation_report.h"
#include "analysis/heap_growth.h"
#include "view/allocation_views.h"

namespace culprit {

// `recorded`: who allocated what grows (or, where no single size does, who allocated anything); null: nothing grew, so
// that nothing was recorded.
std::string growth_as_text(const HeapGrowth& growth, const AllocationReport* recorded,
                           const AllocationTextOptions& options);
std::string growth_as_json(const HeapGrowth& growth, const AllocationReport* recorded, const std::string& target);

}  // namespace culprit
