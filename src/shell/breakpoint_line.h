// What is typed behind bp, bu and bm: [/1] [/t TID] ADDRESS [PASSES] ["COMMANDS"].
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "shell/expression.h"

namespace culprit {

struct BreakpointLine {
  std::string where;     // an expression, or for bm a pattern; empty: where the thread stands
  std::string commands;  // executed when it is met; empty: none
  uint64_t passes = 1;   // stops the n-th time
  uint32_t tid = 0;      // only this thread; 0: all
  bool is_one_shot = false;
};
// `radix`: of the number of passes, unless 0n or 0x says otherwise. Errors: usage, with the sentence that says what
// belongs there.
Result<BreakpointLine> parse_breakpoint_line(std::string_view text, unsigned radix);

// Commands that begin with a decision of which one side only goes on (`j (…) 'k'; 'gc'`, `.if (…) { … } .else { gc }`):
// the engine decides by itself then, and stops only for the other side.
struct BreakpointDecision {
  Expression condition;
  bool stops_if = true;  // where it holds, or where it does not
};
// Nothing: there is no such decision. Errors: the condition is no expression.
Result<std::optional<BreakpointDecision>> decision_of(std::string_view commands, ExpressionNames& names,
                                                      unsigned radix);

}  // namespace culprit
