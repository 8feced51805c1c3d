#include "agent/stacks.h"

#include "agent/thread.h"

namespace culprit::agent {

namespace {

// Of the process: libc gives the stack of an ended thread to the next one. end == 0: free. Readers do not lock: `start`
// is written last and cleared first.
constexpr uint32_t known_count = 64;
StackBounds known[known_count];
uint32_t next_known;
uint32_t epoch = 1;

}  // namespace

bool find_stack(uint64_t stack_pointer, StackBounds& bounds) {
  for (StackBounds& stack : known) {
    uint64_t start = __atomic_load_n(&stack.start, __ATOMIC_ACQUIRE);
    uint64_t end = __atomic_load_n(&stack.end, __ATOMIC_ACQUIRE);
    if (start == 0 || stack_pointer < start || stack_pointer >= end) continue;
    if (__atomic_load_n(&stack.start, __ATOMIC_ACQUIRE) != start) continue;
    bounds = {start, end};
    return true;
  }
  if (!request(CULPRIT_REQUEST_STACK, stack_pointer)) return false;
  bounds = {thread.slot->reply_start, thread.slot->reply_end};
  if (stack_pointer < bounds.start || stack_pointer >= bounds.end) return false;
  // The main thread's stack grows downwards: the same end again means a new start of the old place.
  StackBounds* place = nullptr;
  for (StackBounds& stack : known)
    if (__atomic_load_n(&stack.end, __ATOMIC_RELAXED) == bounds.end) place = &stack;
  if (place == nullptr) place = &known[__atomic_fetch_add(&next_known, 1, __ATOMIC_RELAXED) % known_count];
  __atomic_store_n(&place->start, 0, __ATOMIC_RELEASE);
  __atomic_store_n(&place->end, bounds.end, __ATOMIC_RELEASE);
  __atomic_store_n(&place->start, bounds.start, __ATOMIC_RELEASE);
  return true;
}

uint32_t stack_epoch() { return __atomic_load_n(&epoch, __ATOMIC_ACQUIRE); }

bool same_stack(uint64_t a, uint64_t b) {
  for (const StackBounds& stack : known) {
    uint64_t start = __atomic_load_n(&stack.start, __ATOMIC_ACQUIRE);
    if (start != 0 && a >= start && a < stack.end && b >= start && b < stack.end) return true;
  }
  return false;
}

void forget_stacks(uint64_t start, uint64_t end) {
  for (StackBounds& stack : known) {
    uint64_t stack_start = __atomic_load_n(&stack.start, __ATOMIC_ACQUIRE);
    if (stack_start == 0 || stack_start >= end || start >= stack.end) continue;
    __atomic_store_n(&stack.start, 0, __ATOMIC_RELEASE);
    __atomic_fetch_add(&epoch, 1, __ATOMIC_RELEASE);
  }
}

}  // namespace culprit::agent
