// A report as JSON: a public interface, described in docs/json.md.
#pragma once

#include <string>

#include "analysis/handle_report.h"

namespace culprit {

// `target`: what was asked: the recording's path, or the command that was run.
std::string as_json(const HandleReport& report, const std::string& target);

}  // namespace culprit
