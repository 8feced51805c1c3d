#include "agent/mapping_hooks.h"

#include <linux/mman.h>

#include "agent/allocator_scope.h"
#include "agent/heap_gate.h"
#include "agent/raw_syscall.h"
#include "agent/rules.h"
#include "agent/session.h"
#include "agent/stacks.h"

namespace culprit::agent {

namespace {

constexpr uint64_t page_size = 4096;
uint64_t whole_pages(uint64_t bytes) { return (bytes + page_size - 1) & ~(page_size - 1); }

// Code or stack that goes away takes what we know of it along.
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

bool is_told(const Registers& registers) { return records_mappings() && !inside_allocator(registers.rsp()); }

// A range is free for others before the call that frees it has returned. So that theirs comes later, what goes away is
// told as of the moment before the call; but only once it is known to have succeeded.
struct Began {
  uint64_t time;  // 0: not known
  uint64_t value;
};

void remember(const Registers& registers, uint64_t value) {
  constexpr uint8_t places = sizeof thread.mapping_calls / sizeof thread.mapping_calls[0];
  thread.mapping_calls[thread.mapping_call_depth++ % places] = {registers.rsp(), tsc(), value};
}

Began recall(const Registers& registers) {
  constexpr uint8_t places = sizeof thread.mapping_calls / sizeof thread.mapping_calls[0];
  for (uint8_t back = 1; back <= places; ++back) {
    auto& call = thread.mapping_calls[static_cast<uint8_t>(thread.mapping_call_depth - back) % places];
    if (call.stack_pointer != registers.rsp()) continue;
    thread.mapping_call_depth = static_cast<uint8_t>(thread.mapping_call_depth - back);
    call.stack_pointer = 0;
    return {call.time, call.value};
  }
  return {0, 0};
}

culprit_record range_record(culprit_record_kind kind, uint32_t call, uint64_t address, uint64_t bytes) {
  culprit_record record = new_record(kind, call);
  record.extra = address;
  record.value = static_cast<int32_t>(bytes);
  record.argument = static_cast<uint32_t>(bytes >> 32);
  return record;
}

void tell_mapped(const Registers& registers, uint32_t call, uint64_t address, uint64_t bytes, culprit_mapping what) {
  culprit_record record = range_record(CULPRIT_RECORD_MAP, call, address, bytes);
  record.flags = static_cast<uint8_t>(what);
  emit(registers, record);
}

void tell_unmapped(const Registers& registers, uint32_t call, uint64_t address, uint64_t bytes, uint64_t time,
                   uint32_t flags = 0) {
  culprit_record record = range_record(CULPRIT_RECORD_UNMAP, call, address, bytes);
  record.flags = static_cast<uint8_t>(flags);
  record.tsc = time;
  emit_without_stack(registers, record);
}

culprit_mapping what_is_mapped(uint64_t flags) {
  if ((flags & MAP_ANONYMOUS) == 0) return CULPRIT_MAPPING_FILE;
  if ((flags & MAP_STACK) != 0) return CULPRIT_MAPPING_STACK;
  return (flags & MAP_TYPE) == MAP_PRIVATE ? CULPRIT_MAPPING_ANONYMOUS : CULPRIT_MAPPING_SHARED;
}

// The kernel's word, unless none of our own calls may be made: then that of the last brk of the program's.
uint64_t program_break;
uint64_t find_break() {
  if (!process.restricted) program_break = static_cast<uint64_t>(raw_syscall(__NR_brk, 0));
  return program_break;
}

}  // namespace

void before_mmap(Registers& registers, uint32_t) {
  if ((registers.r10 & MAP_FIXED) != 0) forget_memory(registers.rdi, registers.rsi);
}

void after_mmap(const Registers& registers, uint32_t call) {
  if (!is_told(registers)) return;
  tell_mapped(registers, call, registers.rax, whole_pages(registers.rsi), what_is_mapped(registers.r10));
}

void before_munmap(Registers& registers, uint32_t) {
  forget_memory(registers.rdi, registers.rsi);
  if (is_told(registers)) remember(registers, 0);
}

void after_munmap(const Registers& registers, uint32_t call) {
  if (!is_told(registers)) return;
  if (Began began = recall(registers); began.time != 0)
    tell_unmapped(registers, call, registers.rdi, whole_pages(registers.rsi), began.time);
}

void before_mremap(Registers& registers, uint32_t) {
  forget_memory(registers.rdi, registers.rsi);
  if (is_told(registers)) remember(registers, 0);
}

void after_mremap(const Registers& registers, uint32_t call) {
  if (!is_told(registers)) return;
  const Began began = recall(registers);
  if (began.time == 0) return;
  // Of no bytes (man mremap): another mapping of the same shared pages.
  const bool stays = registers.rsi == 0 || (registers.r10 & MREMAP_DONTUNMAP) != 0;
  if (!stays)
    tell_unmapped(registers, call, registers.rdi, whole_pages(registers.rsi), began.time, CULPRIT_UNMAP_MOVES);
  tell_mapped(registers, call, registers.rax, whole_pages(registers.rdx), CULPRIT_MAPPING_MOVED);
}

void before_brk(Registers& registers, uint32_t) {
  if (is_told(registers)) remember(registers, find_break());
}

// brk() never fails: where the break cannot be moved it returns where it is.
void after_brk(const Registers& registers, uint32_t call) {
  const uint64_t now = registers.rax;
  if (is_told(registers)) {
    const Began began = recall(registers);
    const uint64_t old_end = whole_pages(began.value), new_end = whole_pages(now);
    if (began.value != 0 && new_end > old_end)
      tell_mapped(registers, call, old_end, new_end - old_end, CULPRIT_MAPPING_BREAK);
    if (began.value != 0 && new_end < old_end) tell_unmapped(registers, call, new_end, old_end - new_end, began.time);
  }
  program_break = now;
}

}  // namespace culprit::agent
