#include "agent/signal_stack.h"

#include "agent/raw_syscall.h"

namespace culprit::agent {

namespace {

// The kernel's stack_t.
struct SignalStack {
  uint64_t start;
  int32_t flags;
  uint64_t size;
};
constexpr int32_t in_use = 1, none = 2;

// The kernel's frame takes up to 11 KiB (with AMX), the handler a few. Below lies a page that nobody may touch: nothing
// of the program is overwritten, whatever runs here.
constexpr uint64_t guard_size = 4096, stack_size = 64 << 10;
// What threads leave that end unseen is never given back.
constexpr uint32_t most_stacks = 4096;

bool offering;
uint32_t made;
uint64_t spares[64];  // of threads that have ended

int64_t set(const SignalStack* wanted, SignalStack* old) {
  return raw_syscall(__NR_sigaltstack, address_of(wanted), address_of(old));
}

uint64_t make_stack() {
  constexpr uint64_t closed = 0, read_write = 3, private_anonymous_no_reserve = 0x4022;
  if (__atomic_fetch_add(&made, 1, __ATOMIC_RELAXED) < most_stacks) {
    int64_t mapped =
        raw_syscall(__NR_mmap, 0, guard_size + stack_size, closed, private_anonymous_no_reserve, ~uint64_t{0}, 0);
    uint64_t start = static_cast<uint64_t>(mapped) + guard_size;
    if (mapped >= 0 && raw_syscall(__NR_mprotect, start, stack_size, read_write) >= 0) return start;
    if (mapped >= 0) raw_syscall(__NR_munmap, mapped, guard_size + stack_size);
  }
  __atomic_fetch_sub(&made, 1, __ATOMIC_RELAXED);
  return 0;
}

uint64_t take_stack() {
  for (uint64_t& spare : spares)
    if (__atomic_load_n(&spare, __ATOMIC_RELAXED) != 0)
      if (uint64_t start = __atomic_exchange_n(&spare, 0, __ATOMIC_ACQUIRE); start != 0) return start;
  return make_stack();
}

void give_back(uint64_t start) {
  for (uint64_t& spare : spares) {
    uint64_t nothing = 0;
    if (__atomic_compare_exchange_n(&spare, &nothing, start, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) return;
  }
  raw_syscall(__NR_munmap, start - guard_size, guard_size + stack_size);
  __atomic_fetch_sub(&made, 1, __ATOMIC_RELAXED);
}

void offer() {
  SignalStack now{};
  if (!offering || set(nullptr, &now) < 0 || (now.flags & none) == 0) return;
  if (thread.signal_stack == 0) thread.signal_stack = take_stack();
  SignalStack ours{thread.signal_stack, 0, stack_size};
  if (ours.start != 0) set(&ours, nullptr);
}

}  // namespace

void begin_signal_stacks() {
  offering = true;
  offer();
}

void end_signal_stacks() { offering = false; }

void begin_thread(Registers&, uint32_t) {
  find_whether_clock_is_lost();
  offer();
}

void end_thread(Registers&, uint32_t) {
  // A filter may end the process for a call that it does not know of.
  if (thread.signal_stack == 0 || process.restricted || is_lent()) return;
  SignalStack now{}, nothing{0, none, 0};
  if (set(nullptr, &now) < 0) return;
  // A handler of the program's may have come to run on it and end the thread from there.
  if (now.start == thread.signal_stack && set(&nothing, nullptr) < 0) return;
  give_back(thread.signal_stack);
  thread.signal_stack = 0;
}

void after_sigaltstack(const Registers& registers, uint32_t) {
  if (thread.signal_stack == 0) return;
  auto* old = reinterpret_cast<SignalStack*>(registers.rsi);
  // Who runs on it needs to know (longjmp() of fortified programs).
  bool is_ours = old != nullptr && old->start == thread.signal_stack && (old->flags & in_use) == 0;
  if (is_ours) *old = {0, none, 0};
  if (registers.rdi != 0) offer();
}

}  // namespace culprit::agent
