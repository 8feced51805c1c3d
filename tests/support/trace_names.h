// Symbols for traces that a TraceBuilder made.
#pragma once

#include <vector>

#include "analysis/stack_symbols.h"
#include "support/trace_builder.h"

namespace culprit::testing {

// Names every frame after TraceBuilder::stack(), all on line 10 of /src/program.cc. `trace` must outlive it.
inline SymbolLookup names_in(const TraceBuilder& trace) {
  return [&trace](std::span<const SymbolRequest> requests) {
    std::vector<SymbolizedFrame> answers;
    for (const SymbolRequest& request : requests) {
      answers.push_back(
          {{{trace.function_at(request.offset), "/src/program.cc", 10, false}}, SymbolQuality::debug_info, 4});
    }
    return answers;
  };
}

}  // namespace culprit::testing
