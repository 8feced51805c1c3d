// The answer about a recording's memory, as text and as JSON.
#pragma once

#include <string>

#include "analysis/allocation_report.h"
#include "view/text_style.h"

namespace culprit {

struct Crashes;  // view/crash_views.h

struct AllocationTextOptions {
  TextStyle style;
  bool details = false;   // --all: every frame, every process
  bool source = true;     // lines of the blamed source file, where it is at hand
  std::string recording;  // kept or read; empty: there is none
};

std::string as_text(const AllocationReport& report, const AllocationTextOptions& options);
// `crashes`: as of a HandleReport (as_json.h).
std::string as_json(const AllocationReport& report, const std::string& target, const Crashes* crashes = nullptr);

}  // namespace culprit
