#include "analysis/crash_cause.h"

#include <fmt/format.h>

#include "model/signals.h"

namespace culprit {
namespace {

using Family = std::optional<CrashVerdict> (*)(CrashScene&);

// What is more particular comes first.
constexpr Family families[] = {cause_of_sender,   cause_of_abort, cause_of_instruction, cause_of_stack_end,
                               cause_of_file_end, cause_of_jump,  cause_of_address};

}  // namespace

CrashVerdict find_cause(CrashScene& scene) {
  if (scene.info().signal == 0) return {.what = "The process has not died: no signal ended it"};
  for (Family family : families)
    if (auto verdict = family(scene)) return std::move(*verdict);
  return {.cause = CrashCause::unknown,
          .what = fmt::format("Died of {}", signal_name(scene.info().signal)),
          .evidence = {"nothing more about the signal is in the core, or it can be read from it"}};
}

}  // namespace culprit
