#include "agent/thread.h"

#include "agent/call_tree.h"
#include "agent/raw_syscall.h"

namespace culprit::agent {

__thread ThreadState thread __attribute__((tls_model("initial-exec")));
__thread bool clock_is_lost __attribute__((tls_model("initial-exec")));

culprit_slot* slot_at(uint32_t index) {
  return reinterpret_cast<culprit_slot*>(process.base + process.session->slots_offset +
                                         uint64_t{index} * CULPRIT_SLOT_SIZE);
}

namespace {

void raise_to(uint32_t& highest, uint32_t value) {
  uint32_t known = __atomic_load_n(&highest, __ATOMIC_RELAXED);
  while (known < value &&
         !__atomic_compare_exchange_n(&highest, &known, value, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
}

// The collector frees slots; a slot in the state FREE has head == tail.
culprit_slot* claim_slot(uint32_t tid) {
  uint32_t count = process.slot_limit;
  uint32_t first = __atomic_load_n(&process.session->slot_hint, __ATOMIC_RELAXED);
  for (uint32_t i = 0; i < count; ++i) {
    uint32_t index = (first + i) % count;
    culprit_slot* slot = slot_at(index);
    uint32_t expected = CULPRIT_SLOT_FREE;
    if (__atomic_load_n(&slot->state, __ATOMIC_RELAXED) != expected) continue;
    if (!__atomic_compare_exchange_n(&slot->state, &expected, CULPRIT_SLOT_CLAIMED, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED))
      continue;
    slot->pid = process.pid;
    slot->tid = tid;
    slot->process = process.record_index;
    __atomic_store_n(&process.session->slot_hint, index + 1, __ATOMIC_RELAXED);
    raise_to(process.session->slot_end, index + 1);
    raise_to(process.highest_slot, index + 1);
    return slot;
  }
  return nullptr;
}

}  // namespace

bool ensure_slot() {
  if (__builtin_expect(clock_is_lost, 0)) return false;
  if (thread.slot != nullptr) return true;
  if (thread.no_slot || process.record == nullptr) return false;
  culprit_slot* slot = claim_slot(static_cast<uint32_t>(raw_syscall(__NR_gettid)));
  if (slot == nullptr) {
    thread.no_slot = true;
    __atomic_fetch_add(&process.record->slots_refused, 1, __ATOMIC_RELAXED);
    return false;
  }
  thread.ring_tail = __atomic_load_n(&slot->tail, __ATOMIC_ACQUIRE);
  thread.ring_abandoned = false;
  thread.tree = open_call_tree(slot);
  thread.slot = slot;
  thread.epoch = process.epoch;
  __atomic_store_n(&slot->state, CULPRIT_SLOT_LIVE, __ATOMIC_RELEASE);
  return true;
}

bool is_lent() {
  if (thread.vfork_child != 0) return true;
  return thread.shares_memory && thread.slot != nullptr && raw_syscall(__NR_gettid) != int64_t{thread.slot->tid};
}

void close_slot() {
  culprit_slot* slot = thread.slot;
  if (slot == nullptr) return;
  close_call_tree(*thread.tree);
  thread.slot = nullptr;
  thread.no_slot = true;
  __atomic_store_n(&slot->state, CULPRIT_SLOT_CLOSED, __ATOMIC_RELEASE);
}

void lose_clock() {
  if (clock_is_lost) return;
  clock_is_lost = process.clock_was_lost = true;
  if (thread.slot == nullptr) return;
  ++thread.slot->lost[CULPRIT_LOST_CLOCK];
  // In a signal handler that interrupted a hook, that hook still needs it.
  if (thread.busy_stack == 0) close_slot();
}

void find_whether_clock_is_lost() {
  constexpr uint64_t pr_get_tsc = 25, tsc_is_sigsegv = 2;
  if (!process.clock_was_lost || process.restricted) return;
  uint32_t mode = 0;
  if (raw_syscall(__NR_prctl, pr_get_tsc, address_of(&mode)) == 0 && mode == tsc_is_sigsegv) clock_is_lost = true;
}

void ring_doorbell() {
  if (process.restricted || __atomic_load_n(&process.session->collector_sleeps, __ATOMIC_SEQ_CST) == 0) return;
  __atomic_fetch_add(&process.session->doorbell, 1, __ATOMIC_SEQ_CST);
  futex_wake(&process.session->doorbell);
}

namespace {

uint32_t post_request(culprit_request kind, uint64_t argument, uint64_t end) {
  culprit_slot* slot = thread.slot;
  uint32_t number = __atomic_load_n(&slot->reply_number, __ATOMIC_ACQUIRE) + 1;
  slot->request_kind = kind;
  slot->request_argument = argument;
  slot->request_end = end;
  __atomic_store_n(&slot->request_number, number, __ATOMIC_SEQ_CST);
  ring_doorbell();
  return number;
}

bool answered(const culprit_slot* slot, uint32_t number) {
  return static_cast<int32_t>(__atomic_load_n(&slot->reply_number, __ATOMIC_ACQUIRE) - number) >= 0;
}

// Without system calls: about 300 ms of pauses, where nothing can be asked for the time.
bool spin_for_answer(const culprit_slot* slot, uint32_t number) {
  for (uint32_t i = 0; i < 8'000'000; ++i) {
    if (answered(slot, number)) return true;
    __builtin_ia32_pause();
  }
  return false;
}

bool sleep_for_answer(culprit_slot* slot, uint32_t number, uint64_t limit_ns) {
  uint64_t deadline = monotonic_ns() + limit_ns;
  for (;;) {
    if (answered(slot, number)) return true;
    uint64_t now = monotonic_ns();
    if (now >= deadline) return false;
    futex_wait(&slot->reply_number, number - 1, deadline - now);
  }
}

// As long as the collector's heart beats: it is at work on the answer.
bool sleep_while_it_works(culprit_slot* slot, uint32_t number) {
  const uint64_t* heartbeat = &process.session->heartbeat;
  uint64_t deadline = monotonic_ns() + CULPRIT_EXIT_WAIT_NS;
  for (uint64_t seen = __atomic_load_n(heartbeat, __ATOMIC_RELAXED), beat = 0;; seen = beat) {
    if (sleep_for_answer(slot, number, CULPRIT_WAIT_NS)) return true;
    beat = __atomic_load_n(heartbeat, __ATOMIC_RELAXED);
    if (beat == seen || monotonic_ns() >= deadline) return answered(slot, number);
  }
}

bool wait_for_answer(culprit_request kind, culprit_slot* slot, uint32_t number) {
  if (process.restricted) return spin_for_answer(slot, number);
  if (kind == CULPRIT_REQUEST_EXITING) return sleep_while_it_works(slot, number);
  return sleep_for_answer(slot, number, kind == CULPRIT_REQUEST_HELLO ? CULPRIT_HELLO_WAIT_NS : CULPRIT_WAIT_NS);
}

}  // namespace

void tell(culprit_request kind, uint64_t argument) {
  if (thread.slot != nullptr) post_request(kind, argument, 0);
}

bool request(culprit_request kind, uint64_t argument, uint64_t end) {
  if (thread.slot == nullptr || __atomic_load_n(&process.session->collector_gone, __ATOMIC_RELAXED) != 0) return false;
  if (thread.asking) return false;
  thread.asking = true;
  uint32_t number = post_request(kind, argument, end);
  bool done = wait_for_answer(kind, thread.slot, number);
  thread.asking = false;
  if (!done) {
    __atomic_store_n(&process.session->collector_gone, 1, __ATOMIC_RELAXED);
    look_for_collector();
  }
  return done && thread.slot->reply_status == 0;
}

}  // namespace culprit::agent
