// Where patched system calls go. The stubs lie in the agent's own text, so that they have unwind information like any
// function: cancellation and exceptions pass through them (libc's open, accept … are cancellation points).
#pragma once

#include <stdint.h>

#include "wire/agent_attach.h"
#include "wire/agent_session.h"

namespace culprit::agent {

// The caller's registers as stub_entries.S saves them; lowest address first. A before-hook may change them.
struct Registers {
  uint64_t r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax;
  uint64_t rbp;
  uint64_t return_into_stub;
  uint64_t stub_index;

  // At the patched place: behind this struct lies the red zone the stub stepped over.
  uint64_t rsp() const { return reinterpret_cast<uint64_t>(this) + sizeof(Registers) + 128; }
};

// What a stub knows about its place in libc.
struct StubData {
  uint64_t lookup;  // start of the replaced bytes: unwind rules are looked up here
  uint64_t resume;  // where the stub goes on: recorded as the innermost frame
};
const StubData& stub_data(uint64_t stub_index);
uint16_t stub_call(uint64_t stub_index);  // system call number; any_call for syscall()
inline constexpr uint16_t any_call = 0xffff;

// Writes the next free stub for `site`; the stubs' pages must be writable. Its address; 0: out of reach or stubs.
uint64_t make_stub(const culprit_site& site, uint64_t bias, bool before, bool after);
// Makes the code at `place`, which must be writable, jump to the stub.
void put_jump_to(uint64_t stub, uint64_t place);
// All stubs are free again.
void forget_stubs();
// Makes the stubs writable, or executable again. 0 or negative errno.
int64_t protect_stubs(bool writable);

extern "C" const unsigned char culprit_stubs[] __attribute__((visibility("hidden")));
extern "C" const unsigned char culprit_stubs_end[] __attribute__((visibility("hidden")));
extern "C" const unsigned char __ehdr_start[] __attribute__((visibility("hidden")));
extern "C" const unsigned char _end[] __attribute__((visibility("hidden")));

inline bool in_stubs(uint64_t pc) {
  return pc - reinterpret_cast<uint64_t>(culprit_stubs) < static_cast<uint64_t>(culprit_stubs_end - culprit_stubs);
}
inline bool in_agent(uint64_t pc) {
  return pc - reinterpret_cast<uint64_t>(__ehdr_start) < static_cast<uint64_t>(_end - __ehdr_start);
}

// How to step from a pc inside a stub to the libc function it belongs to.
struct StubFrame {
  uint64_t stack_used;
  uint64_t lookup, resume;
};
bool stub_frame(uint64_t pc, StubFrame& frame);

}  // namespace culprit::agent
