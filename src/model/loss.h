// Anything not recorded or not resolved. Counted by kind, stored with the data, printed beside every result it can affect.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/ids.h"

namespace culprit {

enum class LossKind : uint8_t {
  ring_full,             // events dropped because the collector did not keep up
  nested_event,          // an event inside a signal handler that interrupted the agent itself
  stack_missing,         // events without any stack
  stack_truncated,       // stacks whose outer end is missing
  name_truncated,        // names cut to a bound
  process_not_followed,  // a process of the tree in which the agent did not start
  table_not_checked,     // a process whose end was not compared with /proc/PID/fd (killed, or no access)
  unknown_origin,        // handles found in /proc/PID/fd of which no creation was seen
  vanished_handle,       // handles recorded as open that /proc/PID/fd no longer had
  thread_slots,          // threads that found no place in shared memory
  clock_unreliable,      // time stamps of different CPUs cannot be compared
  recording_incomplete,  // the recorder died: everything after its last whole block is missing
  block_damaged,         // blocks skipped because their checksum is wrong
  write_failed,          // blocks that could not be written (disk full)
  symbols_missing,       // frames without function name
  memory_limit,          // something was forgotten to stay within a memory bound
  window_moved_on,       // events that fell out of a circular recording
  size_limit,            // events refused because the file had its full size
  memory_missing,        // pages that a core should have and has not: its file ends early
  threads_missing,       // threads that a core's notes should tell of and do not
  modules_missing,       // modules whose file is not to be had, so that neither tables nor symbols are
  modules_unproven,      // modules read from a file of which nothing proves that it is the one that was mapped
  target_changed,        // what went or became another while it was looked at
  process_not_readable,  // other processes that could not be looked into
  search_limit,          // processes that a search left out to stay quick
  kernel_silent,         // questions that the kernel did not answer; `detail` says which and why
  unseen_release,        // blocks of memory whose address was given out again, though nobody was seen to release them
  heap_damaged,          // places where the heap is not as it must be: blocks there are not counted
  heap_changed,          // places of the heap that were under change while it was looked at
  heap_incomplete,       // parts of the heap that were not found
  memory_paused,         // times in which allocations were not recorded, in the middle of a window
};
inline constexpr size_t loss_kind_count = 31;

struct LossMeaning {
  std::string_view name;     // "ring_full": stable, in JSON and recordings
  std::string_view meaning;  // "events dropped because …", what it does to a result
  std::string_view remedy;   // what the user can do; may be empty
  bool makes_partial;        // a result beside it is not exact
};
const LossMeaning& meaning_of(LossKind kind);

struct Loss {
  LossKind kind = LossKind::ring_full;
  uint64_t count = 0;
  ProcessId process = ProcessId::none;  // none: the whole recording
  std::string detail;                   // which file, which program; may be empty

  bool operator==(const Loss&) const = default;
};

}  // namespace culprit
