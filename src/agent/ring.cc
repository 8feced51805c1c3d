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

bool spin_for_room(uint32_t count) {
  for (uint32_t i = 0; i < 4'000'000; ++i) {
    if (refresh(count)) return true;
    __builtin_ia32_pause();
  }
  return false;
}

bool sleep_for_room(uint32_t count) {
  uint64_t begin = monotonic_ns();
  uint64_t last_sign = begin;
  uint64_t heartbeat = 0;
  for (uint64_t now = begin; now - begin < CULPRIT_RING_WAIT_NS && now - last_sign < CULPRIT_RING_SILENCE_NS;
       now = monotonic_ns()) {
    if (refresh(count)) return true;
    uint64_t beat = __atomic_load_n(&process.session->heartbeat, __ATOMIC_RELAXED);
    if (beat != heartbeat) last_sign = now;
    heartbeat = beat;
    sleep_ns(100'000);
  }
  return false;
}

// The victim waits for the collector here, and nowhere else on the way of an event: bounded, shorter for one that shows
// no sign of life, and once it was in vain not again until there is room.
bool wait_for_room(uint32_t count) {
  if (thread.ring_abandoned) return false;
  ring_doorbell();
  thread.ring_abandoned = !(process.restricted ? spin_for_room(count) : sleep_for_room(count));
  if (thread.ring_abandoned) look_for_collector();
  return !thread.ring_abandoned;
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
