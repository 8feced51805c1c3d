// What the agent knows about the process it is in. One per process image; a fork child gets a fresh view of it.
#pragma once

#include "wire/agent_session.h"

namespace culprit::agent {

struct ProcessState {
  uint8_t* base;  // the session's mapping; null: the agent sleeps for good
  culprit_session* session;
  culprit_process* record;  // null: the process found no place, it is not recorded
  uint32_t record_index;
  uint32_t pid;
  uint32_t epoch;             // +1 with each session in this image: what threads remember of earlier ones is void
  uint32_t collector_pid;     // 0: it means nothing here (another pid namespace, another user)
  uint32_t sample_bytes;      // culprit_session::sample_bytes
  uint32_t sampling_threads;  // that have begun to sample
  uint64_t tables_end;        // offset up to which tables are mapped
  uint32_t slot_limit;        // slots that are mapped
  uint32_t
      highest_slot;      // one past the last slot that a thread of this process (or of one it was forked from) has used
  bool restricted;       // a seccomp filter is in force: no system calls of ours from now on
  bool clock_was_lost;   // by some thread (lose_clock)
  bool fanotify_in_use;  // read() may create handles
  bool orphaned;         // the collector has died: nothing is recorded any more
  char exec_variable[512];  // "CULPRIT_SESSION=…" for the environment of an exec, without the ":r"
};

extern ProcessState process __attribute__((visibility("hidden")));

// 0 in a process that was forked since it was last set, however it was forked: the page is wiped by the kernel
// (MADV_WIPEONFORK).
extern volatile uint32_t* alive_word;

inline bool recording() {
  return process.base != nullptr && !process.orphaned &&
         __atomic_load_n(&process.session->collector_finished, __ATOMIC_RELAXED) == 0;
}

// Whether what the process forks and executes is recorded, too.
inline bool follows() { return (process.session->flags & CULPRIT_SESSION_FOLLOWS) != 0; }

// After a wait for the collector that was in vain: is there still one?
void look_for_collector();

inline bool is_fork_child() { return *alive_word == 0; }

// Lets a fork be noticed from now on. False: the kernel cannot.
bool watch_for_forks();

// Claims a process record. `parent_pid` 0: the image came by exec. False: none is free.
bool claim_process_record(uint32_t parent_pid, uint64_t begin_tsc);

// In a fork child, before anything else is recorded: own record, own slot, and tells the collector.
void become_fork_child(uint64_t fork_tsc);

culprit_slot* slot_at(uint32_t index);

}  // namespace culprit::agent
