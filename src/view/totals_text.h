// What stands below the groups: totals, processes, handles nobody saw coming, suppressions, losses.
#pragma once

#include <string>

#include "analysis/handle_report.h"
#include "view/as_text.h"

namespace culprit {

// "2,345 handles made, 1,340 closed, 1,005 open at the end; 3 inherited (not counted)"
std::string totals_sentence(const HandleReport& report);
// Notes about processes that were not seen as usual; part of the totals.
std::string sight_text(const HandleReport& report, const HandleTextOptions& options);
std::string totals_text(const HandleReport& report, const HandleTextOptions& options);
std::string unknown_text(const HandleReport& report, const HandleTextOptions& options);
std::string suppressions_text(const HandleReport& report, const HandleTextOptions& options);
// "exact" or "partial, because …", one line per kind of loss.
std::string losses_text(const std::vector<MergedLoss>& losses, const TextStyle& style);

}  // namespace culprit
