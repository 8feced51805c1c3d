#include "agent/stubs.h"

#include "agent/memory.h"
#include "agent/raw_syscall.h"

namespace culprit::agent {

namespace {

// Offsets of stub_code.S.
constexpr uint64_t stub_size = CULPRIT_STUB_SIZE;
constexpr uint64_t copied_before = 0, before_switch = CULPRIT_STUB_BEFORE_SWITCH,
                   before_hook = CULPRIT_STUB_BEFORE_HOOK, system_call = CULPRIT_STUB_SYSTEM_CALL,
                   after_switch = CULPRIT_STUB_AFTER_SWITCH, copied_after = CULPRIT_STUB_COPIED_AFTER,
                   jump_back = CULPRIT_STUB_JUMP_BACK, data = CULPRIT_STUB_DATA;
constexpr uint64_t copied_limit = 16;

uint32_t used;
uint16_t calls[CULPRIT_STUB_COUNT];

unsigned char* stub_at(uint64_t index) { return const_cast<unsigned char*>(culprit_stubs) + index * stub_size; }

bool in_reach(uint64_t at, uint64_t target) {
  auto distance = static_cast<int64_t>(target - (at + 5));
  return distance == static_cast<int32_t>(distance);
}

bool put_jump(unsigned char* at, uint64_t target) {
  if (!in_reach(reinterpret_cast<uint64_t>(at), target)) return false;
  auto narrow = static_cast<int32_t>(target - (reinterpret_cast<uint64_t>(at) + 5));
  at[0] = 0xe9;
  memcpy(at + 1, &narrow, sizeof narrow);
  return true;
}

void put_short_jump(unsigned char* at, uint64_t from, uint64_t to) {
  at[0] = 0xeb;
  at[1] = static_cast<unsigned char>(to - from - 2);
}

void put_two_bytes(unsigned char* at, unsigned char first, unsigned char second) {
  at[0] = first;
  at[1] = second;
}

// As stub_code.S has it: in a library that stayed loaded, another site may have had it before.
void renew(unsigned char* stub) {
  memset(stub + copied_before, 0x90, copied_limit);
  put_two_bytes(stub + before_switch, 0x66, 0x90);  // nop
  put_two_bytes(stub + system_call, 0x0f, 0x05);
  put_two_bytes(stub + after_switch, 0x48, 0x85);  // the first bytes of `test %rax,%rax`
  memset(stub + copied_after, 0x90, copied_limit);
}

void copy_instructions(unsigned char* stub, const culprit_site& site) {
  bool has_call = site.kind == CULPRIT_SITE_CALL || site.kind == CULPRIT_SITE_ANY_CALL;
  uint8_t before_call = site.kind == CULPRIT_SITE_AFTER ? 0 : has_call ? site.syscall_offset : site.length;
  memcpy(stub + copied_before, site.original, before_call);
  if (has_call) return;
  put_two_bytes(stub + system_call, 0x66, 0x90);  // nop
  if (site.kind == CULPRIT_SITE_AFTER) memcpy(stub + copied_after, site.original, site.length);
}

bool well_formed(const culprit_site& site) {
  if (site.length < 5 || site.length > copied_limit) return false;
  if (site.kind != CULPRIT_SITE_CALL && site.kind != CULPRIT_SITE_ANY_CALL) return true;
  return site.syscall_offset <= site.length - 2;
}

}  // namespace

const StubData& stub_data(uint64_t stub_index) {
  return *reinterpret_cast<const StubData*>(stub_at(stub_index) + data);
}

uint16_t stub_call(uint64_t stub_index) { return calls[stub_index]; }

uint64_t make_stub(const culprit_site& site, uint64_t bias, bool before, bool after) {
  unsigned char* stub = stub_at(used);
  if (used == CULPRIT_STUB_COUNT || !well_formed(site) || !in_reach(bias + site.start, address_of(stub))) return 0;
  renew(stub);
  if (!put_jump(stub + jump_back, bias + site.start + site.length)) return 0;
  copy_instructions(stub, site);
  if (!before) put_short_jump(stub + before_switch, before_switch, system_call);
  if (!after) put_short_jump(stub + after_switch, after_switch, copied_after);
  StubData known{bias + site.start, bias + site.start + site.length};
  memcpy(stub + data, &known, sizeof known);
  calls[used++] = site.kind == CULPRIT_SITE_ANY_CALL ? any_call : site.number;
  return address_of(stub);
}

void put_jump_to(uint64_t stub, uint64_t place) { put_jump(reinterpret_cast<unsigned char*>(place), stub); }

void forget_stubs() { used = 0; }

int64_t protect_stubs(bool writable) {
  constexpr uint64_t read = 1, write = 2, execute = 4;
  uint64_t size = (static_cast<uint64_t>(culprit_stubs_end - culprit_stubs) + 4095) & ~uint64_t{4095};
  return raw_syscall(__NR_mprotect, reinterpret_cast<uint64_t>(culprit_stubs), size,
                     read | (writable ? write : execute));
}

bool stub_frame(uint64_t pc, StubFrame& frame) {
  uint64_t offset = pc - reinterpret_cast<uint64_t>(culprit_stubs);
  uint64_t index = offset / stub_size;
  offset %= stub_size;
  if (index >= used) return false;
  // lea, push and call of the two hooks are 5 bytes each.
  auto in_hook = [&](uint64_t hook, uint64_t end) {
    return offset < hook + 5 ? 0 : offset < hook + 10 ? 128 : offset < end ? 136 : 0;
  };
  constexpr uint64_t after_hook = CULPRIT_STUB_AFTER_HOOK;
  frame.stack_used = offset < system_call ? in_hook(before_hook, system_call) : in_hook(after_hook, copied_after);
  frame.lookup = stub_data(index).lookup;
  frame.resume = stub_data(index).resume;
  return true;
}

}  // namespace culprit::agent
