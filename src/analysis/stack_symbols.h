// Stacks of a trace as stacks of a report: names looked up in one batch, each address once.
#pragma once

#include <span>
#include <unordered_map>
#include <vector>

#include "analysis/report_stack.h"
#include "model/trace.h"

namespace culprit {

class StackSymbols {
 public:
  static constexpr size_t frame_limit = 256;  // of a stack; the rest is cut off and the stack marked as truncated

  // Both must outlive this.
  StackSymbols(const TraceTables& tables, const SymbolLookup& lookup) : tables_(tables), lookup_(lookup) {}

  // Looks up what is needed for these stacks and not known yet.
  void prepare(std::span<const StackId> stacks);

  // With blame assigned. Frames that were not prepared have no names.
  ReportStack report_stack(StackId stack) const;
  // One frame, with the functions inlined into it before it. No blame.
  std::vector<ReportFrame> report_frames(const Frame& frame) const;

 private:
  struct Hash {
    size_t operator()(const Frame& frame) const { return frame.offset * 0x9e3779b97f4a7c15 ^ index_of(frame.module); }
  };
  std::vector<Frame> frames_of(StackId stack) const;

  const TraceTables& tables_;
  const SymbolLookup& lookup_;
  std::unordered_map<Frame, SymbolizedFrame, Hash> known_;
};

}  // namespace culprit
