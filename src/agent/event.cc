// Entering and leaving hooks, and the events they write.
#include "agent/call_tree.h"
#include "agent/hooks.h"
#include "agent/raw_syscall.h"
#include "agent/ring.h"
#include "agent/rules.h"
#include "agent/stacks.h"
#include "agent/unwind.h"
#include "agent/wrappers.h"

namespace culprit::agent {

namespace {

CallSite site_of(const Registers& registers) {
  if (__builtin_expect(registers.stub_index >= first_wrapper, 0)) {
    // A wrapper: the innermost frame to show is its caller, whose return address lies right behind the registers.
    auto* behind = reinterpret_cast<const uint64_t*>(&registers + 1);
    return {behind[0] - 1, behind[0], reinterpret_cast<uint64_t>(behind + 1), registers.rbp};
  }
  const StubData& data = stub_data(registers.stub_index);
  // vfork() has taken its return address from the stack into rdi when it calls: begin with its caller.
  if (stub_call(registers.stub_index) == __NR_vfork)
    return {registers.rdi - 1, registers.rdi, registers.rsp(), registers.rbp};
  return {data.lookup, data.resume, registers.rsp(), registers.rbp};
}

// Code was unmapped since this thread last looked: addresses may mean something else now.
void notice_unmapped_code(CallTree& tree) {
  uint32_t generation = __atomic_load_n(&process.record->table_generation, __ATOMIC_ACQUIRE);
  if (__builtin_expect(tree.generation != generation, 0)) reset_call_tree(tree, generation);
}

// Inside a signal handler that interrupted a hook of this thread: tree and ring may be half-written. The event waits in
// memory of its own for that hook to finish. The index is taken first, so that handlers may interrupt each other here,
// too.
void defer(const Registers& registers, const culprit_record& record) {
  CallTree& tree = *thread.tree;
  uint32_t index = __atomic_fetch_add(&tree.deferred_used, 1, __ATOMIC_RELAXED);
  if (index >= deferred_count) return count_lost(CULPRIT_LOST_NESTED);
  DeferredEvent& event = tree.deferred[index];
  event.record = record;
  event.frame_count =
      walk_stack(site_of(registers), event.frames, sizeof event.frames / sizeof event.frames[0], event.root);
  __atomic_store_n(&event.ready, 1, __ATOMIC_RELEASE);
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

__thread uint32_t nesting __attribute__((tls_model("initial-exec")));

// The thread knew another session, whose memory is gone.
void begin_session_of_thread() {
  thread = ThreadState{};
  nesting = 0;
  thread.epoch = process.epoch;
}

// False: nothing is to be recorded. `nested`: a hook of this thread is interrupted.
bool enter_hook(const Registers& registers, bool& nested) {
  if (!recording()) return false;
  nested = false;
  if (__builtin_expect(thread.epoch != process.epoch, 0)) begin_session_of_thread();
  uint64_t here = reinterpret_cast<uint64_t>(&registers);
  if (__builtin_expect(thread.busy_stack != 0, 0)) {
    // A signal handler left by longjmp never comes back to the hook it interrupted: then we are further up the same
    // stack.
    nested = here < thread.busy_stack || !same_stack(here, thread.busy_stack);
    if (nested) return thread.slot != nullptr && !is_fork_child();
    thread.busy_stack = 0;
    thread.asking = false;
  }
  thread.busy_stack = here;
  if (__builtin_expect(is_fork_child(), 0)) become_fork_child(thread.fork_tsc);
  bool mine = ensure_slot();
  if (__builtin_expect(thread.shares_memory, 0) && mine) mine = raw_syscall(__NR_gettid) == int64_t{thread.slot->tid};
  if (mine) notice_unmapped_code(*thread.tree);
  if (!mine) thread.busy_stack = 0;
  return mine;
}

void leave_hook() {
  // close_slot() may have taken the slot away.
  if (thread.slot != nullptr && __builtin_expect(thread.tree->deferred_used != 0, 0)) write_deferred(*thread.tree);
  thread.busy_stack = 0;
}

}  // namespace

culprit_record new_record(culprit_record_kind kind, uint32_t call) {
  culprit_record record{};
  record.kind = kind;
  record.call = static_cast<uint16_t>(call);
  record.tsc = tsc();
  return record;
}

uint32_t stack_of(const Registers& registers) {
  // A vfork child runs on memory of its parent, often on a stack made for it: the call that made it is the stack to
  // show.
  if (thread.vfork_child != 0) return thread.fork_node;
  return capture_stack(*thread.tree, site_of(registers));
}

void emit(const Registers& registers, culprit_record record, const char* name) {
  if (nesting != 0) return defer(registers, record);
  if (name != nullptr) record.argument = name_id(*thread.tree, name);
  if (record.node == 0) record.node = stack_of(registers);
  if (record.node < first_node) record.node = 0;
  put(record);
}

namespace {

template <typename Run>
void run_hook(const Registers& registers, Run run) {
  bool nested = false;
  if (!enter_hook(registers, nested)) return;
  if (__builtin_expect(nested, 0)) {
    ++nesting;
    run();
    --nesting;
    return;
  }
  uint32_t outer = nesting;
  nesting = 0;
  run();
  nesting = outer;
  leave_hook();
}

// syscall() does not keep its number: remembered from before the call, found again by the stack pointer.
void remember_call(const Registers& registers) {
  uint8_t depth = thread.any_call_depth++ % 8;
  thread.any_calls[depth] = {registers.rsp(), static_cast<uint32_t>(registers.rax)};
}

uint32_t recall_call(const Registers& registers) {
  for (uint8_t back = 1; back <= 8; ++back) {
    auto& entry = thread.any_calls[static_cast<uint8_t>(thread.any_call_depth - back) % 8];
    if (entry.stack_pointer != registers.rsp()) continue;
    thread.any_call_depth = static_cast<uint8_t>(thread.any_call_depth - back);
    return entry.number;
  }
  return any_call;
}

}  // namespace

void before_call(Registers& registers, uint32_t call) {
  const Hook* hook = find_hook(call);
  if (hook == nullptr || hook->before == nullptr) return;
  run_hook(registers, [&] { hook->before(registers, call); });
}

void after_call(const Registers& registers, uint32_t call) {
  const Hook* hook = find_hook(call);
  if (hook == nullptr || hook->after == nullptr) return;
  run_hook(registers, [&] { hook->after(registers, call); });
}

extern "C" __attribute__((visibility("hidden"))) void culprit_before(Registers* registers) {
  uint32_t call = stub_call(registers->stub_index);
  if (call == any_call) {
    remember_call(*registers);
    call = static_cast<uint32_t>(registers->rax);
  }
  before_call(*registers, call);
}

extern "C" __attribute__((visibility("hidden"))) void culprit_after(Registers* registers) {
  uint32_t call = stub_call(registers->stub_index);
  after_call(*registers, call == any_call ? recall_call(*registers) : call);
}

}  // namespace culprit::agent
