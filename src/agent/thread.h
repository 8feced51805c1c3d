// What the agent knows about the thread it is in.
#pragma once

#include "agent/process.h"

namespace culprit::agent {

struct CallTree;

// Lives in static TLS: all zero in a new thread.
struct ThreadState {
  culprit_slot* slot;        // null: none claimed yet, or none to be had (see no_slot)
  CallTree* tree;            // in slot->tree
  uint64_t ring_tail;        // last known culprit_slot.tail
  uint64_t busy_stack;       // 0: not inside a hook; else the stack pointer of the hook (see enter_hook)
  uint64_t allocator_stack;  // 0: not inside the allocator; else the stack pointer of who called it (allocator_scope.h)
  int64_t until_sample;      // bytes to be allocated until then (sampling.h)
  uint64_t random_state;     // 0: not yet begun
  uint64_t fork_tsc;         // of the fork call this thread is in; 0: none, or one that makes a thread
  uint64_t fork_flags;       // of that call
  uint32_t fork_node;        // stack of that call
  uint32_t vfork_child;      // pid of the vfork child that runs on this thread's memory, 0 none
  uint64_t signal_stack;     // its own, given by the agent (signal_stack.h); 0: none
  uint32_t epoch;            // of the session all this belongs to (process.epoch)
  bool no_slot;
  bool asking;          // a request is under way: the hook of a signal handler that interrupts it cannot make another
  bool ring_abandoned;  // a wait for room timed out; do not wait again until the collector has moved
  bool shares_memory;   // clone(CLONE_VM) without own TLS happened: only the slot's own tid may record
  uint8_t any_call_depth;
  struct {
    uint64_t stack_pointer;
    uint32_t number;
  } any_calls[8];  // numbers of the calls in progress inside libc's syscall()
  uint8_t mapping_call_depth;
  struct {
    uint64_t stack_pointer;
    uint64_t time;     // tsc() before it
    uint64_t value;    // brk: where the program's break was
  } mapping_calls[4];  // those in progress that take mappings away; of several, each interrupted the one before
};

extern __thread ThreadState thread __attribute__((tls_model("initial-exec")));

// Whether it is a child, made by vfork or clone(CLONE_VM), that runs on this thread's memory: what it ends is its own.
bool is_lent();

// Claims a slot for this thread if it has none. False: nothing of this thread can be recorded.
bool ensure_slot();
// After the thread's last event.
void close_slot();
// The thread may not read the clock any more: nothing of it can be recorded from now on, which is counted as lost.
void lose_clock();
// A new thread has that from its maker.
void find_whether_clock_is_lost();

// Asks the collector and waits for the answer, no longer than wire/agent_session.h says for it. False: no answer.
bool request(culprit_request kind, uint64_t argument, uint64_t end = 0);
// Asks without waiting.
void tell(culprit_request kind, uint64_t argument);
// Wakes the collector if it sleeps.
void ring_doorbell();

}  // namespace culprit::agent
