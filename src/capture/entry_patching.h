// Recording of allocations goes on and off in a process that has the agent: its allocator's functions become jumps to
// the agent's doors, and are given back, while all threads stand still.
#pragma once

#include "capture/agent_file.h"
#include "capture/allocator_entries.h"
#include "capture/thread_choice.h"
#include "model/allocation_event.h"

namespace culprit {

// Both to be called from a thread of ours that does nothing else and ends soon (ptrace_threads.h). Whenever we are
// killed, each function is whole, as a jump or as it was.

// What it gives: a sentence about what stays unseen; empty: nothing. Errors: as of plan_entry_patches(), and those of
// stopping it; then nothing has changed.
Result<std::string> put_entries(TouchedProcess& victim, const AgentPresence& agent,
                                const uint64_t (&functions)[CULPRIT_ALLOCATOR_FUNCTIONS], uint64_t gate,
                                const BlockSizes& sizes);

// What of the allocator leads to the agent is as it was, and mappings are not recorded any more. Threads may still be
// in there, and come out by themselves. Errors: unsupported (a breakpoint stands on such a jump), those of stopping it.
Result<void> take_entries(TouchedProcess& victim, const AgentPresence& agent, uint64_t gate);

// The same while all threads are stopped already. `entries`: all there are (find_allocator_entries).
enum class EntriesTaken : uint8_t { all, under_breakpoint, not_writable };
EntriesTaken take_entries_back(TouchedProcess& victim, const AgentPresence& agent,
                               const std::vector<AllocatorEntry>& entries);

}  // namespace culprit
