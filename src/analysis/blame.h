// Which frame of a stack is to blame: the innermost one that no rule passes over.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/report_stack.h"

namespace culprit {

// A row of blame_rules.inc, which says what the fields mean.
struct BlameRule {
  std::string_view name;
  std::string_view module, function, file;
  std::string_view reason;
};

std::span<const BlameRule> blame_rules();

// The rule that passes over this frame: the most specific one that matches. nullptr: none does.
const BlameRule* skipping_rule(std::span<const BlameRule> rules, const ReportFrame& frame);

// Sets `skipped_by` of the frames from the innermost to the blamed one, and `blamed`. Frames outside stay untouched.
void assign_blame(std::span<const BlameRule> rules, ReportStack& stack);

// True for the program itself and for libraries that do not come with the system.
bool is_own_module(std::string_view path);

}  // namespace culprit
