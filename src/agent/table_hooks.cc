#include "agent/table_hooks.h"

#include "agent/death.h"
#include "agent/raw_syscall.h"
#include "agent/rules.h"
#include "agent/session.h"
#include "agent/stacks.h"

namespace culprit::agent {

void before_close(Registers& registers, uint32_t) {
  auto value = static_cast<int32_t>(registers.rdi);
  if (value < 0) return;
  culprit_record record = new_record(CULPRIT_RECORD_CLOSE, __NR_close);
  record.value = value;
  emit(registers, record);
}

void before_close_range(Registers& registers, uint32_t) {
  constexpr uint64_t unshare_first = 2, only_close_on_exec = 4;
  auto first = static_cast<uint32_t>(registers.rdi);
  auto last = static_cast<uint32_t>(registers.rsi);
  if (first > last) return;
  if ((registers.rdx & unshare_first) != 0) emit(registers, new_record(CULPRIT_RECORD_UNSHARE, __NR_close_range));
  if ((registers.rdx & only_close_on_exec) != 0) return;
  constexpr uint32_t largest = 0x7fffffff;
  if (first > largest) return;
  culprit_record record = new_record(CULPRIT_RECORD_CLOSE_RANGE, __NR_close_range);
  record.value = static_cast<int32_t>(first);
  record.extra = last < largest ? last : largest;
  emit(registers, record);
}

void before_unshare(Registers& registers, uint32_t) {
  constexpr uint64_t clone_files = 0x400;
  if ((registers.rdi & clone_files) != 0) emit(registers, new_record(CULPRIT_RECORD_UNSHARE, __NR_unshare));
}

namespace {

// Code or stack that goes away takes what we know of it along. `file_code`: a range that has an unwind table.
void forget_memory(uint64_t start, uint64_t length) {
  uint64_t end = start + length;
  if (end < start) return;
  forget_stacks(start, end);
  const culprit_process& record = *process.record;
  uint32_t count = __atomic_load_n(&record.range_count, __ATOMIC_ACQUIRE);
  if (count > CULPRIT_RANGE_COUNT) count = CULPRIT_RANGE_COUNT;
  uint32_t low = 0;
  for (uint32_t high = count; low < high;) {
    uint32_t middle = (low + high) / 2;
    if (record.ranges[middle].end <= start)
      low = middle + 1;
    else
      high = middle;
  }
  if (low == count || record.ranges[low].start >= end) return;
  // Known code is unmapped (dlclose): other code may come to the same addresses. The collector rereads the mappings
  // before the next table is asked for; until then nothing is known.
  __atomic_fetch_add(&process.record->table_generation, 1, __ATOMIC_RELEASE);
  request(CULPRIT_REQUEST_UNMAPPING, start, end);
  forget_rules();
}

}  // namespace

void before_munmap(Registers& registers, uint32_t) { forget_memory(registers.rdi, registers.rsi); }

void before_mmap(Registers& registers, uint32_t) {
  constexpr uint64_t map_fixed = 0x10;
  if ((registers.r10 & map_fixed) != 0) forget_memory(registers.rdi, registers.rsi);
}

void before_mremap(Registers& registers, uint32_t) { forget_memory(registers.rdi, registers.rsi); }

void before_setrlimit(Registers& registers, uint32_t call) {
  constexpr uint64_t address_space = 9, infinity = ~uint64_t{0};
  bool any_process = call == __NR_prlimit64;
  uint64_t resource = any_process ? registers.rsi : registers.rdi;
  uint64_t limit = any_process ? registers.rdx : registers.rsi;
  if (static_cast<uint32_t>(resource) != address_space || limit == 0) return;
  if (any_process && registers.rdi != 0 && registers.rdi != process.pid) return;
  if (!process.restricted && !readable(limit, sizeof(uint64_t))) return;
  if (*reinterpret_cast<const uint64_t*>(limit) != infinity) make_room_for_limit();
}

namespace {

// A filter may end the process for a system call that a handler of ours makes.
void become_restricted() {
  if (!process.restricted) stop_watching_for_death();
  process.restricted = true;
}

}  // namespace

void before_prctl(Registers& registers, uint32_t) {
  constexpr uint64_t pr_set_seccomp = 22;
  if (registers.rdi == pr_set_seccomp) become_restricted();
}

void before_seccomp(Registers& registers, uint32_t) {
  constexpr uint64_t get_action_available = 2;
  if (registers.rdi < get_action_available) become_restricted();
}

void before_thread_exit(Registers&, uint32_t) { close_slot(); }

void before_process_exit(Registers& registers, uint32_t) {
  culprit_record record = new_record(CULPRIT_RECORD_EXIT, __NR_exit_group);
  record.value = static_cast<int32_t>(registers.rdi);
  emit(registers, record);
  if (thread.vfork_child == 0) request(CULPRIT_REQUEST_EXITING, reinterpret_cast<uint64_t>(&registers));
}

}  // namespace culprit::agent
