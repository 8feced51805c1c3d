#include "model/loss.h"

#include <array>

namespace culprit {

namespace {

constexpr std::array<LossMeaning, loss_kind_count> meanings{{
    {"ring_full", "events were dropped because the collector did not keep up", "give culprit a free CPU", true},
    {"nested_event", "events inside signal handlers that interrupted the agent itself were not recorded", "", true},
    {"stack_missing", "events have no stack", "", false},
    {"stack_truncated", "stacks end early: code without unwind table, or deeper than the limit", "", false},
    {"name_truncated", "names were cut", "", false},
    {"process_not_followed", "the agent did not start in a process of the tree", "culprit doctor says why", true},
    {"table_not_checked", "a process ended before its handles could be compared with /proc/PID/fd", "", true},
    {"unknown_origin", "handles were open of which no creation was seen (made without libc, or by another process)", "", true},
    {"vanished_handle", "handles were recorded as open and were gone: how they were closed was not seen", "", true},
    {"thread_slots", "threads found no place in shared memory, their events are missing", "", true},
    {"clock_unreliable", "the CPUs' clocks differ: times, and the order of events of different threads, may be wrong", "", true},
    {"recording_incomplete", "the recorder did not finish: everything after the last whole block is missing", "", true},
    {"block_damaged", "blocks were skipped because they are damaged", "copy the recording again", true},
    {"write_failed", "blocks could not be written", "make room on the disk", true},
    {"symbols_missing", "frames have no function name", "install debug symbols", false},
    {"memory_limit", "something was forgotten to stay within a memory bound", "", true},
    {"window_moved_on", "events were overwritten by newer ones, as the recording is circular", "a larger --circular keeps more", true},
    {"size_limit", "events were not recorded because the file had reached its size", "a larger --max-size, or --circular", true},
    {"memory_missing", "pages of memory are missing, as the core file ends too early", "copy it again; ulimit -c and the disk set its size", true},
    {"threads_missing", "the notes of the core are cut off or damaged: threads, or all of them, are missing", "copy the core again", true},
    {"modules_missing", "a file that was mapped is not here: stacks through it may end early, and nothing in it has a name", "put the very file beside the core", true},
    {"modules_unproven", "a module is read from a file that nothing proves to be the one which was mapped", "", true},
    {"target_changed", "handles went while they were looked at", "ask again", true},
    {"process_not_readable", "other processes could not be looked into: what they hold is missing", "run culprit as root", true},
    {"search_limit", "other processes were not searched for what they hold, as that takes long", "--all searches them", true},
    {"kernel_silent", "the kernel did not answer", "", true},
    {"unseen_release", "blocks of memory were released without that being seen", "", true},
    {"heap_damaged", "the heap is damaged: blocks there are not counted", "", true},
    {"heap_changed", "parts of the heap were under change: blocks there may be missed", "ask again", true},
    {"heap_incomplete", "parts of the heap were not found", "", true},
    {"memory_paused", "for a while allocations were not recorded: what was freed then counts as alive", "--from and --to ask about one stretch alone", true},
}};
static_assert(!meanings.back().name.empty(), "each kind has its row");

}  // namespace

const LossMeaning& meaning_of(LossKind kind) { return meanings.at(static_cast<size_t>(kind)); }

}  // namespace culprit
