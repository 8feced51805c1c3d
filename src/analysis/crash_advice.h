// What to look at next.
#pragma once

#include <string>
#include <vector>

#include "analysis/crash_report.h"

namespace culprit {

// Sentences, the most useful first; of a page that is complete but for this. Foreign text is raw.
std::vector<std::string> crash_advice(const CrashReport& report);

}  // namespace culprit
