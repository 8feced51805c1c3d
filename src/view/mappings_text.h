// What a report about blocks says of memory that was mapped beside the allocator.
#pragma once

#include <string>

#include "analysis/allocation_report.h"
#include "view/text_style.h"

namespace culprit {

// Empty: nothing was mapped.
std::string mappings_text(const MappingSummary& mappings, const TextStyle& style);

}  // namespace culprit
