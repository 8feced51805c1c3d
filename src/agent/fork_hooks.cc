// fork, vfork, clone, clone3: who copies which handle table, and whose memory runs on.
#include <linux/sched.h>

#include "agent/raw_syscall.h"
#include "agent/ring.h"
#include "agent/table_hooks.h"

namespace culprit::agent {

namespace {

uint64_t clone_flags(const Registers& registers, uint32_t call) {
  switch (call) {
    case __NR_clone:
      return registers.rdi;
    case __NR_clone3:
      if (!process.restricted && !readable(registers.rdi, sizeof(uint64_t))) return CLONE_THREAD;  // the call will fail
      return reinterpret_cast<const clone_args*>(registers.rdi)->flags;
    case __NR_vfork:
      return CLONE_VM | CLONE_VFORK;
    default:
      return 0;
  }
}

// Where the kernel put the pidfd of a CLONE_PIDFD.
uint64_t pidfd_address(const Registers& registers, uint32_t call) {
  return call == __NR_clone ? registers.rdx : reinterpret_cast<const clone_args*>(registers.rdi)->pidfd;
}

culprit_record fork_record(uint32_t call, uint64_t flags, int64_t child) {
  culprit_record record = new_record(CULPRIT_RECORD_FORK, call);
  record.tsc = thread.fork_tsc;
  record.node = thread.fork_node;
  record.value = static_cast<int32_t>(child);
  record.extra = flags;
  return record;
}

void act_as(uint32_t pid) {
  thread.vfork_child = pid;
  culprit_record record = new_record(CULPRIT_RECORD_SWITCH, 0);
  record.argument = pid;
  put(record);
}

void after_fork_in_parent(const Registers& registers, uint32_t call, uint64_t flags) {
  if (thread.vfork_child != 0)
    act_as(0);  // the vfork child has told of the fork already
  else
    emit(registers, fork_record(call, flags, static_cast<int64_t>(registers.rax)));
  if ((flags & CLONE_PIDFD) != 0 && call != __NR_fork && call != __NR_vfork) {
    culprit_record record = new_record(CULPRIT_RECORD_OPEN, call);
    record.value = *reinterpret_cast<const int32_t*>(pidfd_address(registers, call));
    record.node = thread.fork_node;
    emit(registers, record);
  }
  thread.fork_tsc = 0;
}

}  // namespace

void before_fork(Registers& registers, uint32_t call) {
  uint64_t flags = clone_flags(registers, call);
  thread.fork_tsc = 0;
  if ((flags & CLONE_THREAD) != 0) return;
  thread.fork_tsc = tsc();
  thread.fork_flags = flags;
  thread.fork_node = stack_of(registers);
  // A child on our memory and on our thread-local storage, running at the same time: only one of the two can be
  // recorded.
  if ((flags & CLONE_VM) != 0 && (flags & (CLONE_VFORK | CLONE_SETTLS)) == 0) thread.shares_memory = true;
}

// A new thread comes by here, too, some time: then the arguments of clone3, which lay on its maker's stack, may be
// something else already. Its own memory knows of no fork.
void after_fork(const Registers& registers, uint32_t call) {
  if ((thread.fork_tsc == 0 && thread.vfork_child == 0) || !follows()) return;
  const uint64_t flags = thread.fork_flags;
  if (registers.rax != 0) return after_fork_in_parent(registers, call, flags);
  // A child with memory of its own has been made known on entering the hook (become_fork_child).
  if ((flags & CLONE_VM) == 0 || (flags & CLONE_VFORK) == 0) return;
  int64_t pid = raw_syscall(__NR_getpid);
  emit(registers, fork_record(call, flags, pid));
  act_as(static_cast<uint32_t>(pid));
}

}  // namespace culprit::agent
