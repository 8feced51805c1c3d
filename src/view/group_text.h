// Groups of handles as text: leaks in full, the others one line each.
#pragma once

#include <string>

#include "analysis/handle_report.h"
#include "view/as_text.h"

namespace culprit {

// Several lines: count and type, verdict with its evidence, stack with source, examples, processes.
std::string leak_text(const HandleGroup& group, const HandleTextOptions& options);

// "      3 × file       held     open_log() (log.cc:12)"
std::string group_line(const HandleGroup& group, const TextStyle& style);

}  // namespace culprit
