// A stack as reports show it, whatever it was taken from.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/stack.h"
#include "symbols/symbolizer.h"

namespace culprit {

std::string_view name_of(FoundBy found_by);  // "scan", "frame pointer", "unwind table", "registers"

// Innermost first; inlined functions are frames of their own, before the frame they were inlined into.
struct ReportFrame {
  std::string function;          // demangled; empty: unknown
  std::string file;              // as the debug information names it; empty: unknown
  std::string module;            // path; empty: code outside any file (offset is then an absolute address)
  uint32_t line = 0;             // 0: unknown
  uint64_t offset = 0;           // link-time virtual address in the module (for a return address: of the return)
  uint64_t function_offset = 0;  // distance from the start of `function`; 0 for inlined frames
  FoundBy found_by = FoundBy::unwind_table;
  SymbolQuality quality = SymbolQuality::none;
  bool inlined = false;
  bool own = false;        // code of the program itself or of libraries outside the system's directories
  std::string skipped_by;  // name of the blame rule that passes over this frame; empty: none does
};

struct ReportStack {
  std::vector<ReportFrame> frames;  // empty: no stack was taken
  bool truncated = false;           // the outer end is missing
  std::optional<size_t> blamed;     // index into frames; none when all are passed over
};

// The narrow side of symbols/symbolizer: one answer per request, in their order. An empty function: no symbols at all.
using SymbolLookup = std::function<std::vector<SymbolizedFrame>(std::span<const SymbolRequest>)>;

// One frame with its names, and before it the functions inlined into it. `blank` has all that needs no symbols.
std::vector<ReportFrame> named_frames(const ReportFrame& blank, const SymbolizedFrame& symbols);

}  // namespace culprit
