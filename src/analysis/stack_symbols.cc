#include "analysis/stack_symbols.h"

#include "analysis/blame.h"

namespace culprit {

std::vector<Frame> StackSymbols::frames_of(StackId stack) const {
  if (index_of(stack) >= tables_.stacks.size()) return {};
  std::vector<Frame> frames = tables_.stacks.frames(stack, frame_limit);
  for (Frame& frame : frames) {
    if (index_of(frame.module) >= tables_.modules.size()) frame.module = ModuleId::none;
  }
  return frames;
}

void StackSymbols::prepare(std::span<const StackId> stacks) {
  if (!lookup_) return;
  std::vector<Frame> wanted;
  std::vector<SymbolRequest> requests;
  for (StackId stack : stacks) {
    for (const Frame& frame : frames_of(stack)) {
      if (frame.module == ModuleId::none || !known_.try_emplace(frame).second) continue;
      wanted.push_back(frame);
      requests.push_back({&tables_.module(frame.module), frame.offset, frame.found_by != FoundBy::registers});
    }
  }
  if (requests.empty()) return;
  std::vector<SymbolizedFrame> answers = lookup_(requests);
  for (size_t i = 0; i < wanted.size() && i < answers.size(); ++i) known_[wanted[i]] = std::move(answers[i]);
}

std::vector<ReportFrame> StackSymbols::report_frames(const Frame& frame) const {
  ReportFrame blank;
  if (index_of(frame.module) < tables_.modules.size()) blank.module = tables_.module(frame.module).path;
  blank.offset = frame.offset;
  blank.found_by = frame.found_by;
  blank.own = is_own_module(blank.module);
  auto found = known_.find(frame);
  if (found == known_.end()) return {std::move(blank)};
  return named_frames(blank, found->second);
}

ReportStack StackSymbols::report_stack(StackId stack) const {
  ReportStack report;
  for (const Frame& frame : frames_of(stack))
    for (ReportFrame& named : report_frames(frame)) report.frames.push_back(std::move(named));
  if (index_of(stack) < tables_.stacks.size() && stack != StackId::none) {
    StackId rest = stack;
    for (size_t i = 0; i < frame_limit && index_of(rest) >= StackTable::first_id; ++i)
      rest = tables_.stacks.at(rest).caller;
    report.truncated = rest != StackId::none;
  }
  assign_blame(blame_rules(), report);
  return report;
}

}  // namespace culprit
