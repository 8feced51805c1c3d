#include "agent/hook_scope.h"

#include "agent/raw_syscall.h"
#include "agent/ring.h"

namespace culprit::agent {

__thread uint32_t nesting __attribute__((tls_model("initial-exec")));

namespace {

// Code was unmapped since this thread last looked: addresses may mean something else now.
void notice_unmapped_code(CallTree& tree) {
  uint32_t generation = __atomic_load_n(&process.record->table_generation, __ATOMIC_ACQUIRE);
  if (__builtin_expect(tree.generation != generation, 0)) reset_call_tree(tree, generation);
}

void write_deferred_event(CallTree& tree, DeferredEvent& event) {
  if (event.ready == 0) return;
  uint32_t node = event.root;
  for (uint32_t frame = event.frame_count; frame-- > 0;) node = child_node(tree, node, event.frames[frame]);
  event.record.node = node < first_node ? 0 : node;
  put(event.record);
  event.ready = 0;
}

// More may come in while these are written: the list is emptied only if it did not grow meanwhile.
void write_deferred(CallTree& tree) {
  uint32_t written = 0;
  uint32_t used = 0;
  do {
    used = __atomic_load_n(&tree.deferred_used, __ATOMIC_ACQUIRE);
    for (; written < used && written < deferred_count; ++written) write_deferred_event(tree, tree.deferred[written]);
  } while (!__atomic_compare_exchange_n(&tree.deferred_used, &used, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
}

// The thread knew another session, whose memory is gone.
void begin_session_of_thread() {
  thread = ThreadState{};
  nesting = 0;
  thread.epoch = process.epoch;
}

}  // namespace

// Inside a signal handler that interrupted a hook of this thread: tree and ring may be half-written. The event waits in
// memory of its own for that hook to finish. The index is taken first, so that handlers may interrupt each other here,
// too.
void defer(const CallSite& site, const culprit_record& record) {
  CallTree& tree = *thread.tree;
  uint32_t index = __atomic_fetch_add(&tree.deferred_used, 1, __ATOMIC_RELAXED);
  if (index >= deferred_count) return count_lost(CULPRIT_LOST_NESTED);
  DeferredEvent& event = tree.deferred[index];
  event.record = record;
  event.frame_count = walk_stack(site, event.frames, sizeof event.frames / sizeof event.frames[0], event.root);
  __atomic_store_n(&event.ready, 1, __ATOMIC_RELEASE);
}

HookEntry enter_hook(uint64_t here) {
  if (!recording()) return HookEntry::refused;
  if (__builtin_expect(thread.epoch != process.epoch, 0)) begin_session_of_thread();
  if (__builtin_expect(thread.busy_stack != 0, 0)) {
    // A signal handler left by longjmp never comes back to the hook it interrupted: then we are further up the same
    // stack.
    if (here < thread.busy_stack || !same_stack(here, thread.busy_stack))
      return thread.slot != nullptr && !is_fork_child() ? HookEntry::nested : HookEntry::refused;
    thread.busy_stack = 0;
    thread.asking = false;
  }
  thread.busy_stack = here;
  if (__builtin_expect(is_fork_child(), 0)) become_fork_child(thread.fork_tsc);
  bool mine = ensure_slot();
  if (__builtin_expect(thread.shares_memory, 0) && mine) mine = raw_syscall(__NR_gettid) == int64_t{thread.slot->tid};
  if (mine) notice_unmapped_code(*thread.tree);
  if (!mine) thread.busy_stack = 0;
  return mine ? HookEntry::entered : HookEntry::refused;
}

void leave_hook() {
  // close_slot() may have taken the slot away.
  if (thread.slot != nullptr && __builtin_expect(thread.tree->deferred_used != 0, 0)) write_deferred(*thread.tree);
  thread.busy_stack = 0;
}

}  // namespace culprit::agent
