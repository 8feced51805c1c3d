// A report as JSON: a public interface, described in docs/json.md.
#pragma once

#include <string>

#include "analysis/handle_report.h"

namespace culprit {

struct Crashes;  // view/crash_views.h

// `target`: what was asked: the recording's path, or the command that was run.
// `crashes`: of a program that was run; null, or none: there were none.
std::string as_json(const HandleReport& report, const std::string& target, const Crashes* crashes = nullptr);

}  // namespace culprit
