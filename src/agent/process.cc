#include "agent/process.h"

#include "agent/allocator.h"
#include "agent/call_tree.h"
#include "agent/raw_syscall.h"
#include "agent/thread.h"

namespace culprit::agent {

ProcessState process;

namespace {

volatile uint32_t always_alive = 1;

// Reads 0 after any kind of fork, and only then (not after vfork, which shares memory). Memory of the library itself,
// so that nothing of it is left when the library goes.
alignas(4096) volatile uint32_t fork_page[1024];

}  // namespace

volatile uint32_t* alive_word = &always_alive;

bool watch_for_forks() {
  constexpr uint64_t wipe_on_fork = 18;
  if (raw_syscall(__NR_madvise, address_of(fork_page), sizeof fork_page, wipe_on_fork) < 0) return false;
  fork_page[0] = 1;
  alive_word = fork_page;
  return true;
}

void look_for_collector() {
  constexpr int64_t no_such_process = -3;
  if (process.collector_pid == 0 || process.restricted) return;
  if (raw_syscall(__NR_kill, process.collector_pid, 0) == no_such_process) process.orphaned = true;
}

bool claim_process_record(uint32_t parent_pid, uint64_t begin_tsc) {
  auto* records = reinterpret_cast<culprit_process*>(process.base + process.session->processes_offset);
  process.record = nullptr;
  // Each record spans pages: beginning at a place of one's own spares touching those in use.
  for (uint32_t i = 0; i < CULPRIT_PROCESS_COUNT; ++i) {
    uint32_t index = (process.pid + i) % CULPRIT_PROCESS_COUNT;
    culprit_process& record = records[index];
    uint32_t expected = CULPRIT_PROCESS_FREE;
    if (!__atomic_compare_exchange_n(&record.state, &expected, CULPRIT_PROCESS_CLAIMED, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED))
      continue;
    record.pid = process.pid;
    record.parent_pid = parent_pid;
    record.flags = (parent_pid != 0 ? CULPRIT_PROCESS_FORKED : CULPRIT_PROCESS_EXECED) |
                   (process.restricted ? CULPRIT_PROCESS_RESTRICTED : 0) |
                   (stands_before_foreign_malloc() ? CULPRIT_PROCESS_FOREIGN_MALLOC : 0);
    record.begin_tsc = begin_tsc;
    record.sites_patched = record.sites_refused = record.slots_refused = 0;
    record.patch_error = 0;
    record.table_generation = record.children_left_out = 0;
    record.death.state = CULPRIT_DEATH_NONE;
    process.record = &record;
    process.record_index = index;
    __atomic_store_n(&record.state, CULPRIT_PROCESS_LIVE, __ATOMIC_RELEASE);
    return true;
  }
  return false;
}

void become_fork_child(uint64_t fork_tsc) {
  const culprit_process* parent = process.record;
  uint32_t parent_pid = process.pid;
  process.pid = static_cast<uint32_t>(raw_syscall(__NR_getpid));
  thread.slot = nullptr;
  thread.tree = nullptr;
  thread.no_slot = thread.shares_memory = thread.asking = false;
  thread.vfork_child = 0;
  thread.fork_tsc = 0;
  *alive_word = 1;
  if (!follows() || clock_is_lost) {
    if (parent != nullptr) __atomic_fetch_add(&process.record->children_left_out, 1, __ATOMIC_RELAXED);
    process.record = nullptr;
    process.base = nullptr;
    return;
  }
  if (!claim_process_record(parent_pid, fork_tsc != 0 ? fork_tsc : tsc()) || !ensure_slot()) return;
  // The memory is a copy of the parent's, so are the mappings and their tables.
  if (parent != nullptr) {
    process.record->table_generation = parent->table_generation;
    thread.tree->generation = parent->table_generation;
  }
  tell(CULPRIT_REQUEST_FORKED, 0);
}

}  // namespace culprit::agent
