// The end of the stack: recursion without end, or a frame that is too large.
#include <fmt/format.h>

#include <algorithm>
#include <csignal>

#include "analysis/crash_cause.h"
#include "base/text.h"
#include "symbols/function_name.h"

namespace culprit {
namespace {

constexpr uint64_t near_end = 64 * 1024;        // what probes, red zones and the kernel's guard gap leave between
constexpr uint64_t largest_frame = 1ull << 32;  // that is still believed

// The stack whose lower end the address lies at; null: it is no such address.
const TargetMapping* stack_above(const CrashScene& scene, uint64_t address) {
  const TargetMapping* here = mapping_at(scene.target, address);
  bool is_guard = here != nullptr && !here->is_readable && !here->is_writable;
  if (here != nullptr && !is_guard) return nullptr;
  const TargetMapping* above = mapping_above(scene.target, address);
  if (above == nullptr || !above->is_writable || above->is_executable) return nullptr;
  if (is_guard && above->start != here->end) return nullptr;
  return above->path.empty() || above->path == "[stack]" ? above : nullptr;
}

// That the thread's stack lies in this mapping, and its stack pointer at the end.
bool is_its_stack(const CrashScene& scene, const TargetMapping& stack, uint64_t address) {
  uint64_t rsp = scene.registers().rsp;
  auto is_inside = [&](const WalkedFrame& frame) { return stack.start <= frame.sp && frame.sp < stack.end; };
  bool has_frame = std::ranges::any_of(scene.walked.frames, is_inside);
  if (!has_frame) return false;
  bool is_at_end = rsp < stack.start ? stack.start - rsp < largest_frame : rsp - stack.start < near_end;
  // Pushed, or used relative to rsp or rbp; what a callee has reserved lies between.
  bool is_stack_access = address >= rsp - near_end && address < std::max(rsp, stack.start) + near_end;
  return is_at_end && is_stack_access;
}

// Of the functions that call each other, always the same one, wherever the end was met.
std::optional<size_t> named_frame(const CrashScene& scene) {
  auto [from, to] = report_frames(scene.stack, scene.recursion->first, scene.recursion->frames);
  std::optional<size_t> best;
  for (size_t i = from; i < to; ++i) {
    const ReportFrame& frame = scene.stack.frames[i];
    if (frame.function.empty() || !frame.skipped_by.empty() || !frame.own) continue;
    if (!best || frame.function < scene.stack.frames[*best].function) best = i;
  }
  return best;
}

std::string round_words(const CrashScene& scene) {
  auto [from, to] = report_frames(scene.stack, scene.recursion->first, scene.recursion->frames);
  constexpr size_t most = 4;
  std::string words;
  for (size_t i = to; i > from && to - i < most; --i) {
    const ReportFrame& frame = scene.stack.frames[i - 1];
    std::string name = frame.function.empty() ? "an unknown function" : qualified_name(frame.function);
    words += fmt::format("{}{}", words.empty() ? "" : ", which calls ", name);
  }
  return to - from > most ? words + " …" : words;
}

// The frame that takes more than half of the stack, if one does: its size.
uint64_t huge_frame(const CrashScene& scene, const TargetMapping& stack) {
  const std::vector<WalkedFrame>& frames = scene.walked.frames;
  uint64_t size = frames.size() > 1 && frames[1].sp > frames[0].sp ? frames[1].sp - frames[0].sp : 0;
  return size > std::max((stack.end - stack.start) / 2, near_end) ? size : 0;
}

}  // namespace

std::optional<CrashVerdict> cause_of_stack_end(CrashScene& scene) {
  if (scene.info().signal != SIGSEGV || !scene.address) return {};
  const TargetMapping* stack = stack_above(scene, *scene.address);
  if (stack == nullptr || !is_its_stack(scene, *stack, *scene.address)) return {};
  CrashVerdict verdict{.cause = CrashCause::stack_overflow};
  uint64_t frame = huge_frame(scene, *stack);
  if (frame != 0) {
    verdict.what = fmt::format("Ran out of stack: one call needs {} of it", bytes_in_words(frame));
  } else if (scene.recursion) {
    verdict.what = fmt::format("Ran out of stack: recursion, {} deep", counted(scene.depth, "frame"));
    verdict.frame = named_frame(scene);
    verdict.frame_reason = "of the functions that call each other always the same one, wherever the stack ended";
    std::string_view again = scene.recursion->frames == 1 ? "itself" : "it again";
    verdict.evidence.push_back(
        fmt::format("{} calls {}: {} rounds", round_words(scene), again, with_thousands(scene.recursion->rounds)));
  } else {
    verdict.what = fmt::format("Ran out of stack, {} deep", counted(scene.depth, "frame"));
  }
  verdict.evidence.push_back(fmt::format("the stack of {} begins at {:#x}; the address {:#x} lies {} below",
                                         bytes_in_words(stack->end - stack->start), stack->start, *scene.address,
                                         bytes_in_words(stack->start - *scene.address)));
  return verdict;
}

}  // namespace culprit
