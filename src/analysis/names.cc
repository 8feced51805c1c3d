// The words of reports, the same in text and JSON.
#include <array>

#include "analysis/handle_report.h"

namespace culprit {

namespace {

constexpr std::array<std::string_view, how_created_count> created_names{"open",    "duplicate", "inherit",
                                                                        "receive", "existing",  "unknown origin"};
constexpr std::array<std::string_view, how_closed_count> closed_names{"still open", "close", "replaced",
                                                                      "exec",       "exit",  "vanished"};
constexpr std::array<std::string_view, 6> verdict_names{"grows", "sometimes forgotten", "hidden by exit",
                                                        "held",  "unknown origin",      "none"};
constexpr std::array<std::string_view, 4> found_by_names{"scan", "frame pointer", "unwind table", "registers"};

}  // namespace

std::string_view name_of(HowCreated how) { return created_names.at(static_cast<size_t>(how)); }
std::string_view name_of(HowClosed how) { return closed_names.at(static_cast<size_t>(how)); }
std::string_view name_of(Verdict verdict) { return verdict_names.at(static_cast<size_t>(verdict)); }
std::string_view name_of(FoundBy found_by) { return found_by_names.at(static_cast<size_t>(found_by)); }

}  // namespace culprit
