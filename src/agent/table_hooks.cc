#include "agent/table_hooks.h"

#include "agent/death.h"
#include "agent/raw_syscall.h"
#include "agent/session.h"

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

// The kernel takes the processor's clock from a thread that asks for seccomp's strict mode: rdtsc is then SIGSEGV.
void after_prctl(const Registers& registers, uint32_t) {
  constexpr uint64_t pr_set_seccomp = 22, strict_mode = 1, pr_set_tsc = 26, tsc_is_sigsegv = 2;
  bool is_strict = registers.rdi == pr_set_seccomp && registers.rsi == strict_mode;
  if (is_strict || (registers.rdi == pr_set_tsc && registers.rsi == tsc_is_sigsegv)) lose_clock();
}

void after_seccomp(const Registers& registers, uint32_t) {
  constexpr uint64_t set_mode_strict = 0;
  if (static_cast<uint32_t>(registers.rdi) == set_mode_strict) lose_clock();
}

void before_thread_exit(Registers&, uint32_t) {
  if (!is_lent()) close_slot();
}

void before_process_exit(Registers& registers, uint32_t) {
  culprit_record record = new_record(CULPRIT_RECORD_EXIT, __NR_exit_group);
  record.value = static_cast<int32_t>(registers.rdi);
  emit(registers, record);
  if (thread.vfork_child == 0) request(CULPRIT_REQUEST_EXITING, reinterpret_cast<uint64_t>(&registers));
}

}  // namespace culprit::agent
