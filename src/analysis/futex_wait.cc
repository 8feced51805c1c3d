#include "analysis/futex_wait.h"

#include <linux/futex.h>
#include <sys/syscall.h>

#include <array>

namespace culprit {

namespace {

struct Asked {
  const FutexCall& call;
  MemoryReader& memory;
  const IsThread& is_thread;

  std::optional<LockState> lock(LockKind kind, uint64_t back) const {
    return back > call.address ? std::nullopt : read_lock_state(kind, call.address - back, memory, is_thread);
  }
  bool is_plain_wait() const { return call.operation == FUTEX_WAIT; }
  bool is_wait() const { return call.operation == FUTEX_WAIT || call.operation == FUTEX_WAIT_BITSET; }
};

using Matched = std::optional<TypedWait>;
Matched plain(const std::optional<LockState>& lock, WaitMode mode = WaitMode::lock) {
  return lock ? Matched({*lock, mode}) : std::nullopt;
}

// nptl/pthread_mutex_lock.c. Normal ones wait with 2 (lll_lock_wait), robust ones with the owner's id and the waiters'
// bit, inheriting ones in the kernel's own lock operation, protecting ones with the ceiling and 2.
Matched match_mutex(const Asked& asked) {
  const FutexCall& call = asked.call;
  const bool in_kernel = call.operation == FUTEX_LOCK_PI || call.operation == FUTEX_LOCK_PI2;
  if (!in_kernel && !asked.is_wait()) return {};
  auto lock = asked.lock(LockKind::mutex, 0);
  if (!lock) return {};
  if (in_kernel) return lock->inherits_priority ? plain(lock) : std::nullopt;
  if (lock->inherits_priority) return {};
  if (lock->is_robust) return (call.value & futex_waiters_bit) != 0 ? plain(lock) : std::nullopt;
  if ((call.value & 3) != 2 || (call.value != 2 && !lock->protects_priority)) return {};
  // A libc-internal lock looks like a mutex that nobody owns.
  return lock->owner != 0 ? plain(lock) : std::nullopt;
}

// The kernel refuses to close a cycle of inheriting mutexes (EDEADLK). Where POSIX wants a deadlock, libc then waits
// forever for a word on its own stack that never changes (nptl/pthread_mutex_lock.c, "Delay the thread indefinitely"),
// and which mutex it was stands in a register only.
Matched match_refused_mutex(const Asked& asked) {
  const FutexCall& call = asked.call;
  if (call.operation != FUTEX_WAIT_BITSET || !call.is_private || call.value != 0 || call.timeout != 0) return {};
  TypedWait refused;
  refused.lock.kind = LockKind::mutex;
  refused.lock.inherits_priority = true;
  refused.lock.state = MutexState::locked;
  refused.is_refused = true;
  return refused;
}

// nptl/pthread_rwlock_common.c. The words are waited for with their value and PTHREAD_RWLOCK_FUTEX_USED (2).
Matched match_rwlock(const Asked& asked) {
  struct Word {
    uint64_t offset;
    uint32_t value;
    WaitMode mode;
  };
  constexpr Word words[] = {{rwlock_phase_word, 3, WaitMode::read},      // until the write phase ends
                            {rwlock_phase_word, 2, WaitMode::write},     // until the readers have left
                            {rwlock_writers_word, 3, WaitMode::write}};  // until the writer before has left
  if (!asked.is_wait()) return {};
  for (const Word& word : words) {
    if (asked.call.value != word.value) continue;
    auto lock = asked.lock(LockKind::rwlock, word.offset);
    if (lock && (lock->readers != 0 || lock->owner != 0)) return plain(lock, word.mode);
  }
  // Where writers are preferred, readers wait behind a writer at the first word: the count of readers with RWAITING.
  if ((asked.call.value & 7) == 4 || (asked.call.value & 7) == 6) {
    auto lock = asked.lock(LockKind::rwlock, rwlock_readers_word);
    if (lock && lock->prefers_writers && lock->readers != 0) return plain(lock, WaitMode::read);
  }
  return {};
}

// nptl/pthread_cond_wait.c: at one of two words, one for each group of waiters.
Matched match_condition(const Asked& asked) {
  if (!asked.is_wait()) return {};
  for (CondLayout layout : {CondLayout::until_2_40, CondLayout::from_2_41}) {
    for (uint64_t group : {0, 4}) {
      const uint64_t back = cond_signals_word(layout) + group;
      std::array<std::byte, pthread_cond_bytes> bytes;
      if (back > asked.call.address || !asked.memory.read(asked.call.address - back, bytes)) continue;
      auto cond = read_pthread_cond(bytes, layout);
      if (!cond || cond->is_process_shared == asked.call.is_private) continue;
      LockState state;
      state.kind = LockKind::condition;
      state.address = asked.call.address - back;
      state.is_process_shared = cond->is_process_shared;
      state.waiters = cond->waiters;
      return plain(state);
    }
  }
  return {};
}

// nptl/sem_waitcommon.c: at the value, which is 0.
Matched match_semaphore(const Asked& asked) {
  if (asked.call.operation != FUTEX_WAIT_BITSET || asked.call.value != 0) return {};
  auto lock = asked.lock(LockKind::semaphore, 0);
  if (!lock || lock->waiters == 0 || lock->is_process_shared == asked.call.is_private) return {};
  return plain(lock);
}

// nptl/pthread_barrier_wait.c: at the number of the round.
Matched match_barrier(const Asked& asked) {
  if (!asked.is_wait()) return {};
  auto lock = asked.lock(LockKind::barrier, barrier_round_word);
  return lock && lock->arrived != 0 ? plain(lock) : std::nullopt;
}

// nptl/pthread_join_common.c waits, as for something shared because the kernel wakes it so, for the word in which the
// kernel clears the thread's id (set_tid_address).
Matched match_thread_end(const Asked& asked) {
  const FutexCall& call = asked.call;
  if (!asked.is_wait() || call.is_private || !asked.is_thread(call.value)) return {};
  if (call.address < thread_tid_field) return {};
  const uint64_t thread = call.address - thread_tid_field;
  if (asked.memory.word(thread + thread_self_field) != thread) return {};
  LockState state;
  state.kind = LockKind::thread_end;
  state.address = call.address;
  state.owner = call.value;
  return plain(state);
}

// libstdc++-v3/libsupc++/guard.cc.
Matched match_static_guard(const Asked& asked) {
  const FutexCall& call = asked.call;
  if (!asked.is_plain_wait() || call.is_private || call.value != (static_guard_pending | static_guard_waiting))
    return {};
  LockState state;
  state.kind = LockKind::static_guard;
  state.address = call.address;
  return plain(state);
}

// libstdc++-v3/include/bits/atomic_futex.h: "not ready" is 0, with the bit for waiters.
Matched match_future(const Asked& asked) {
  if (!asked.is_wait() || asked.call.is_private || asked.call.value != futex_waiters_bit) return {};
  LockState state;
  state.kind = LockKind::future;
  state.address = asked.call.address;
  return plain(state);
}

// libio/libioP.h: _IO_lock_t names its owner by the address of its struct pthread.
Matched match_stream(const Asked& asked) {
  if (!asked.is_plain_wait() || !asked.call.is_private || asked.call.value != 2) return {};
  auto lock = asked.lock(LockKind::stream, 0);
  return lock && lock->owner != 0 ? plain(lock) : std::nullopt;
}

template <LockKind kind>
Matched match_named(const Asked& asked) {
  LockState state;
  state.kind = kind;
  state.address = asked.call.address;
  return plain(state);
}

struct Layout {
  LockKind kind;
  Matched (*match)(const Asked&);
  bool needs_name;  // too little is special about it: only where the function that waits says so
};
// The most special first.
constexpr Layout layouts[] = {
    {LockKind::thread_end, match_thread_end, false},
    {LockKind::static_guard, match_static_guard, false},
    {LockKind::stream, match_stream, false},
    {LockKind::mutex, match_mutex, false},
    {LockKind::mutex, match_refused_mutex, true},
    {LockKind::rwlock, match_rwlock, false},
    {LockKind::condition, match_condition, false},
    {LockKind::semaphore, match_semaphore, false},
    {LockKind::future, match_future, true},
    {LockKind::barrier, match_barrier, true},
    {LockKind::once, match_named<LockKind::once>, true},
    {LockKind::internal, match_named<LockKind::internal>, true},
    {LockKind::word, match_named<LockKind::word>, true},
};

LockState state_of(const PthreadMutex& mutex) {
  LockState state;
  state.kind = LockKind::mutex;
  state.type = mutex.type;
  state.state = mutex.state;
  state.is_robust = mutex.is_robust;
  state.inherits_priority = mutex.inherits_priority;
  state.protects_priority = mutex.protects_priority;
  state.is_process_shared = mutex.is_process_shared;
  state.owner = mutex.owner;
  state.recursion = mutex.recursion;
  return state;
}

LockState state_of(const PthreadRwlock& lock) {
  LockState state;
  state.kind = LockKind::rwlock;
  state.state = lock.writer != 0 || lock.readers != 0 ? MutexState::locked : MutexState::unlocked;
  state.is_process_shared = lock.is_process_shared;
  state.prefers_writers = lock.prefers_writers;
  state.owner = lock.writer;
  state.readers = lock.readers;
  state.readers_waiting = lock.readers_waiting;
  state.writers_waiting = lock.writers_waiting;
  return state;
}

LockState state_of(const PthreadSemaphore& semaphore) {
  LockState state;
  state.kind = LockKind::semaphore;
  state.is_process_shared = semaphore.is_process_shared;
  state.value = semaphore.value;
  state.waiters = semaphore.waiters;
  return state;
}

LockState state_of(const PthreadBarrier& barrier) {
  LockState state;
  state.kind = LockKind::barrier;
  state.is_process_shared = barrier.is_process_shared;
  state.needed = barrier.needed;
  state.arrived = barrier.arrived;
  return state;
}

LockState state_of(const PthreadCond& cond) {
  LockState state;
  state.kind = LockKind::condition;
  state.is_process_shared = cond.is_process_shared;
  state.waiters = cond.waiters;
  return state;
}

template <size_t size, typename Read>
std::optional<LockState> read_as(uint64_t address, MemoryReader& memory, Read read) {
  std::array<std::byte, size> bytes;
  if (!memory.read(address, bytes)) return {};
  auto lock = read(Bytes(bytes));
  if (!lock) return {};
  LockState state = state_of(*lock);
  state.address = address;
  return state;
}

std::optional<LockState> read_stream(uint64_t address, MemoryReader& memory, const IsThread& is_thread) {
  std::array<std::byte, stream_lock_bytes> bytes;
  if (!memory.read(address, bytes)) return {};
  auto lock = read_stream_lock(bytes);
  if (!lock) return {};
  LockState state;
  state.kind = LockKind::stream;
  state.address = address;
  state.type = MutexType::recursive;
  if (lock->owner_thread == 0) return state;
  const auto self = memory.word(lock->owner_thread + thread_self_field);
  const auto tid = memory.word(lock->owner_thread + thread_tid_field);
  if (self != lock->owner_thread || !tid || !is_thread(static_cast<uint32_t>(*tid))) return {};
  state.state = MutexState::locked;
  state.owner = static_cast<uint32_t>(*tid);
  state.recursion = lock->recursion;
  return state;
}

}  // namespace

std::optional<FutexCall> futex_call_of(const BlockingCall& call) {
  if (call.number != SYS_futex) return {};
  FutexCall futex;
  futex.address = call.arguments[0];
  const auto operation = static_cast<uint32_t>(call.arguments[1]);
  futex.operation = operation & static_cast<uint32_t>(FUTEX_CMD_MASK);
  futex.is_private = (operation & FUTEX_PRIVATE_FLAG) != 0;
  futex.is_realtime = (operation & FUTEX_CLOCK_REALTIME) != 0 || futex.operation == FUTEX_LOCK_PI;
  futex.value = static_cast<uint32_t>(call.arguments[2]);
  futex.timeout = call.arguments[3];
  futex.is_absolute = futex.operation != FUTEX_WAIT;
  for (uint32_t waits : {FUTEX_WAIT, FUTEX_WAIT_BITSET, FUTEX_LOCK_PI, FUTEX_LOCK_PI2, FUTEX_WAIT_REQUEUE_PI})
    if (futex.operation == waits) return futex;
  return {};
}

TypedWait type_futex_wait(const FutexCall& call, MemoryReader& memory, const IsThread& is_thread, LockKind known) {
  const Asked asked{call, memory, is_thread};
  for (const Layout& layout : layouts)
    if (known == layout.kind)
      if (Matched matched = layout.match(asked)) return *matched;
  for (const Layout& layout : layouts)
    if (!layout.needs_name)
      if (Matched matched = layout.match(asked)) return *matched;
  TypedWait other;
  other.lock.address = call.address;
  return other;
}

std::optional<LockState> read_lock_state(LockKind kind, uint64_t address, MemoryReader& memory,
                                         const IsThread& is_thread) {
  switch (kind) {
    case LockKind::mutex:
      return read_as<pthread_mutex_bytes>(address, memory, read_pthread_mutex);
    case LockKind::rwlock:
      return read_as<pthread_rwlock_bytes>(address, memory, read_pthread_rwlock);
    case LockKind::semaphore:
      return read_as<pthread_semaphore_bytes>(address, memory, read_pthread_semaphore);
    case LockKind::barrier:
      return read_as<pthread_barrier_bytes>(address, memory, read_pthread_barrier);
    case LockKind::condition:
      for (CondLayout layout : {CondLayout::until_2_40, CondLayout::from_2_41})
        if (auto state = read_as<pthread_cond_bytes>(address, memory,
                                                     [&](Bytes bytes) { return read_pthread_cond(bytes, layout); }))
          return state;
      return {};
    case LockKind::stream:
      return read_stream(address, memory, is_thread);
    default:
      return {};
  }
}

std::optional<LockState> guess_lock_state(uint64_t address, MemoryReader& memory, const IsThread& is_thread) {
  for (LockKind kind : {LockKind::mutex, LockKind::rwlock}) {
    auto state = read_lock_state(kind, address, memory, is_thread);
    if (state && is_thread(state->owner)) return state;
  }
  if (auto lock = read_lock_state(LockKind::rwlock, address, memory, is_thread); lock && lock->readers != 0)
    return lock;
  if (auto cond = read_lock_state(LockKind::condition, address, memory, is_thread)) return cond;
  return read_lock_state(LockKind::mutex, address, memory, is_thread);
}

}  // namespace culprit
