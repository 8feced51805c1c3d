// What becomes of a stack's (or size's) memory, and the evidence in words.
#pragma once

#include <string>

#include "analysis/allocation_report.h"
#include "analysis/memory_ledger.h"

namespace culprit {

AllocationVerdict allocation_verdict(const AllocationTotal& total);
// From the bytes that lived at equally distant moments.
bool is_growing(const AllocationTotal& total);
// They hang from leaks of other stacks: who mends those mends these.
bool is_behind_others(const AllocationTotal& total);

// "nothing pointed there at exit"; of what has unreachable blocks.
std::string unreachable_words(const AllocationTotal& total);
std::string growth_words(const AllocationTotal& total);

}  // namespace culprit
