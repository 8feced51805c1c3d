#include "analysis/report_stack.h"

namespace culprit {

std::vector<ReportFrame> named_frames(const ReportFrame& blank, const SymbolizedFrame& symbols) {
  if (symbols.frames.empty()) return {blank};
  std::vector<ReportFrame> frames;
  for (const SourceFrame& source : symbols.frames) {
    ReportFrame& named = frames.emplace_back(blank);
    named.function = source.function;
    named.file = source.file;
    named.line = source.line;
    named.inlined = source.inlined;
    named.quality = symbols.quality;
    named.function_offset = source.inlined ? 0 : symbols.offset_in_symbol;
  }
  return frames;
}

}  // namespace culprit
