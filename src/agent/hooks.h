// What happens around a system call of libc. Hooks run inside the victim's call: they may not block (but for the
// bounded waits of ring.h and thread.h), fault, allocate, or change anything the program can see.
#pragma once

#include "agent/stubs.h"
#include "agent/thread.h"

namespace culprit::agent {

using BeforeHook = void (*)(Registers& registers, uint32_t call);
using AfterHook = void (*)(const Registers& registers, uint32_t call);  // registers.rax is the result, never negative

struct Hook {
  uint16_t call;
  BeforeHook before;
  AfterHook after;
  // What records nothing comes first, in every thread.
  BeforeHook before_any = nullptr;
  AfterHook after_any = nullptr;

  bool is_before() const { return before != nullptr || before_any != nullptr; }
  bool is_after() const { return after != nullptr || after_any != nullptr; }
};

// The hook of a system call; null: it is of no interest.
const Hook* find_hook(uint32_t call);

// What patched calls and wrapped functions come to: runs the hook of `call`, if there is one.
void before_call(Registers& registers, uint32_t call);
void after_call(const Registers& registers, uint32_t call);

// --- helpers for the hooks, valid only inside one (event.cc) ---

// The stack of the call that `registers` belong to. Takes the thread's stack only once per hook if kept by the caller.
uint32_t stack_of(const Registers& registers);
// Writes one event of this thread; `name` is a NUL-terminated string of the program or null.
void emit(const Registers& registers, culprit_record record, const char* name = nullptr);

// The same without a stack.
void emit_without_stack(const Registers& registers, const culprit_record& record);

// A record with kind, call and the time; everything else 0.
culprit_record new_record(culprit_record_kind kind, uint32_t call);

}  // namespace culprit::agent
