// Into which running processes the agent may be put: those where every step is known to be harmless. All others are
// refused with a sentence, before anything is touched.
#pragma once

#include "capture/agent_file.h"

namespace culprit {

// Errors: unsupported (static, another libc, 32-bit …), no_access, gone.
Result<void> check_victim(uint32_t pid, const AgentFile& agent);

// Whatever has just failed with it failed for that: nothing can be read of such a process.
bool is_on_its_way_out(uint32_t pid);

// The process of the culprit whose session a process has mapped, if that culprit is alive; 0: nobody serves it any
// more.
uint32_t living_collector(uint32_t pid, const AgentPresence& agent);

}  // namespace culprit
