#include "analysis/crash_cause.h"

#include <fmt/format.h>

#include <algorithm>

#include "analysis/crash_terminate.h"
#include "model/signals.h"

namespace culprit {
namespace {

using Family = std::optional<CrashVerdict> (*)(CrashScene&);

// What is more particular comes first.
constexpr Family families[] = {cause_of_sender,   cause_of_abort, cause_of_instruction, cause_of_stack_end,
                               cause_of_file_end, cause_of_jump,  cause_of_address};

CrashVerdict say_if_raised_again(const CrashScene& scene, CrashVerdict verdict) {
  if (!scene.is_raised_again || verdict.cause == CrashCause::raised) return verdict;
  verdict.confidence = std::min(verdict.confidence, Confidence::likely);
  verdict.evidence.emplace_back("its handler raised the signal again: the instruction at rip made it first");
  return verdict;
}

}  // namespace

CrashVerdict find_cause(CrashScene& scene) {
  if (scene.info().signal == 0) return {.what = "The process has not died: no signal ended it"};
  for (Family family : families)
    if (auto found = family(scene)) {
      CrashVerdict verdict = say_if_raised_again(scene, std::move(*found));
      look_behind_terminate_handler(scene, verdict);
      return verdict;
    }
  return {.cause = CrashCause::unknown,
          .what = fmt::format("Died of {}", signal_name(scene.info().signal)),
          .evidence = {"nothing more about the signal is in the core, or it can be read from it"}};
}

}  // namespace culprit
