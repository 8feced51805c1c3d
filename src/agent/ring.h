// The thread's ring to the collector.
#pragma once

#include "agent/thread.h"

namespace culprit::agent {

// Room for `count` records, waiting a bounded time for it. False: there is none; the loss has been counted.
bool reserve_records(uint32_t count);

inline culprit_record& record_at(uint64_t position) { return thread.slot->ring[position & (CULPRIT_RING_RECORDS - 1)]; }

// Publishes the next `count` records, which have been written at head, head + 1 …
inline void publish_records(uint32_t count) {
  __atomic_store_n(&thread.slot->head, thread.slot->head + count, __ATOMIC_RELEASE);
}

inline bool put(const culprit_record& record) {
  uint64_t head = thread.slot->head;
  // As a rule there is room, and the collector need not be woken.
  bool is_easy =
      (head & (CULPRIT_RING_RECORDS / 8 - 1)) != 0 && head + 1 - thread.ring_tail <= uint64_t{CULPRIT_RING_RECORDS};
  if (__builtin_expect(!is_easy, 0) && !reserve_records(1)) return false;
  record_at(thread.slot->head) = record;
  publish_records(1);
  return true;
}

inline void count_lost(culprit_lost_kind kind) { ++thread.slot->lost[kind]; }

}  // namespace culprit::agent
