#include "agent/ring.h"

#include "agent/raw_syscall.h"

namespace culprit::agent {

namespace {

bool has_room(uint32_t count) { return thread.slot->head + count - thread.ring_tail <= CULPRIT_RING_RECORDS; }

bool refresh(uint32_t count) {
  uint64_t tail = __atomic_load_n(&thread.slot->tail, __ATOMIC_ACQUIRE);
  if (tail != thread.ring_tail) thread.ring_abandoned = false;
  thread.ring_tail = tail;
  return has_room(count);
}

// The victim waits for the collector here, and nowhere else on the way of an event: bounded, and once it was in vain
// not again until the collector shows a sign of life.
bool wait_for_room(uint32_t count) {
  if (thread.ring_abandoned) return false;
  ring_doorbell();
  if (process.restricted) {
    for (uint32_t i = 0; i < 1'000'000; ++i) {
      if (refresh(count)) return true;
      __builtin_ia32_pause();
    }
  } else {
    uint64_t deadline = monotonic_ns() + CULPRIT_RING_WAIT_NS;
    while (monotonic_ns() < deadline) {
      if (refresh(count)) return true;
      sleep_ns(100'000);
    }
  }
  thread.ring_abandoned = true;
  return false;
}

}  // namespace

bool reserve_records(uint32_t count) {
  // A sleeping collector is woken while there is still room for what comes until it runs.
  if ((thread.slot->head & (CULPRIT_RING_RECORDS / 8 - 1)) < count) ring_doorbell();
  if (__builtin_expect(has_room(count), 1)) return true;
  if (refresh(count) || wait_for_room(count)) return true;
  count_lost(CULPRIT_LOST_RING_FULL);
  return false;
}

}  // namespace culprit::agent
