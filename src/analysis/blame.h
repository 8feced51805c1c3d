// Which frame of a stack is to blame: the innermost one that no rule passes over; else the innermost weak owner.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "analysis/report_stack.h"

namespace culprit {

// How a rule wants the frames that it matches to be seen.
enum class Owner : uint8_t {
  none,    // never to blame
  weak,    // to blame where nobody else is
  strong,  // to blame, even where a less particular rule passes over it
};

// A row of blame_rules.inc, which says what the fields mean.
struct BlameRule {
  std::string_view name;
  std::string_view module, function, file;
  std::string_view reason;
  Owner owner = Owner::none;
};

// The rules that came with culprit, behind those of the user. The same for as long as the program runs.
std::span<const BlameRule> blame_rules();

// The user's own, put before the others. Texts are copied. Only for who starts the program, before anybody is blamed.
void add_blame_rules(std::span<const BlameRule> rules);

// The most particular rule that matches, the first of equals; null: none does.
const BlameRule* rule_of(std::span<const BlameRule> rules, const ReportFrame& frame);
// The rule that passes over this frame; null: none does.
const BlameRule* skipping_rule(std::span<const BlameRule> rules, const ReportFrame& frame);

// Sets `skipped_by` of the frames from the innermost to the blamed one, and `blamed`. Frames outside stay untouched.
void assign_blame(std::span<const BlameRule> rules, ReportStack& stack);

// True for the program itself and for libraries that do not come with the system.
bool is_own_module(std::string_view path);

}  // namespace culprit
