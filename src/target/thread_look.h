// A thread as /proc tells it, which neither stops it nor makes it run.
#pragma once

#include <cstdint>
#include <optional>

#include "format/procfs.h"
#include "target/target.h"

namespace culprit {

// Where a thread stands that does not run.
struct Standing {
  ThreadCall call;
  uint64_t context_switches = 0;

  bool operator==(const Standing&) const = default;
};

// Nothing: it runs, is gone, or may not be asked.
std::optional<ThreadCall> call_of(uint32_t pid, uint32_t tid);
std::optional<Standing> standing_of(uint32_t pid, uint32_t tid);
// It has not run since standing_of(), so that what was read of its stack meanwhile belongs to that place.
bool still_stands(uint32_t pid, uint32_t tid, const Standing& before);

// Name and state, without registers; nothing: it is gone.
std::optional<TargetThread> look_at_thread(uint32_t pid, uint32_t tid);
// What that tells of its registers.
void set_standing(TargetThread& thread, const ThreadCall& call);

}  // namespace culprit
