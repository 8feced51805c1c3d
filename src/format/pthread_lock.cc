#include "format/pthread_lock.h"

#include "base/wire_int.h"

namespace culprit {

namespace {

// sysdeps/x86/nptl/bits/struct_mutex.h
struct RawMutex {
  Le<uint32_t> lock, count, owner, users, kind;
  Le<uint16_t> spins, elision;
  Le<uint64_t> previous, next;  // of the list of robust mutexes that a thread holds
};
static_assert(sizeof(RawMutex) == pthread_mutex_bytes);

// nptl/pthreadP.h: PTHREAD_MUTEX_KIND_MASK_NP and the bits above it.
namespace kind {
constexpr uint32_t type = 3, robust = 0x10, inherit = 0x20, protect = 0x40, shared = 0x80, elision = 0x100,
                   no_elision = 0x200;
constexpr uint32_t all = type | robust | inherit | protect | shared | elision | no_elision;
}  // namespace kind
// What __owner says of robust mutexes whose owner has died: PTHREAD_MUTEX_INCONSISTENT and _NOTRECOVERABLE.
constexpr uint32_t owner_inconsistent = 0x7fffffff, owner_not_recoverable = 0x7ffffffe;

// sysdeps/x86/nptl/bits/struct_rwlock.h
struct RawRwlock {
  Le<uint32_t> readers, writers, phase_futex, writers_futex, padding_3, padding_4, current_writer, shared;
  Le<uint64_t> elision_and_padding, padding_2;
  Le<uint32_t> flags, tail;
};
static_assert(sizeof(RawRwlock) == pthread_rwlock_bytes);

// nptl/pthread_rwlock_common.c: bits of __readers, of __writers, and of the futex words.
constexpr uint32_t write_phase = 1, write_locked = 2, reader_shift = 3;
constexpr uint32_t writers_handover = 0x80000000, most_of_futex_word = 3;

// sysdeps/nptl/bits/thread-shared-types.h. Until glibc 2.40 __g_refs came after __g1_start; 2.41 took it out and put
// two unused words at the end ("nptl: Remove g_refs from condition variables", bug 25847).
struct RawCond {
  Le<uint64_t> sequence, first_group_start;
  Le<uint32_t> words[8];
};
static_assert(sizeof(RawCond) == pthread_cond_bytes);
constexpr size_t cond_references_word(CondLayout layout) { return layout == CondLayout::until_2_40 ? 5 : 3; }

// sysdeps/nptl/internaltypes.h: struct new_sem (64-bit), struct pthread_barrier.
struct RawSemaphore {
  Le<uint32_t> value, waiters, shared, padding;
};
static_assert(sizeof(RawSemaphore) == pthread_semaphore_bytes);
struct RawBarrier {
  Le<uint32_t> in, round, count, shared, out;
};
static_assert(sizeof(RawBarrier) == pthread_barrier_bytes);

// sysdeps/nptl/stdio-lock.h
struct RawStreamLock {
  Le<uint32_t> lock, count;
  Le<uint64_t> owner;
};
static_assert(sizeof(RawStreamLock) == stream_lock_bytes);

// FUTEX_PRIVATE_FLAG where something is shared between processes, LLL_PRIVATE where not (sysdeps/nptl/lowlevellock.h).
constexpr uint32_t shared_flag = 128;
// More threads than a machine can have: PID_MAX_LIMIT of the kernel.
constexpr uint32_t most_threads = 1 << 22;
// Threads that hold a mutex, or wait for a condition with it. Other locks have an address of user space there, whose
// upper half is 0x55… or 0x7f…: a stream's is the address of its owner.
constexpr uint32_t most_users = 0x5000;
// More waits than a condition variable sees in a year, and less than a pointer.
constexpr uint64_t most_waits = uint64_t{1} << 45;

template <typename Raw>
std::optional<Raw> take(Bytes bytes) {
  ByteReader reader(bytes);
  Raw raw = reader.take<Raw>();
  return reader ? std::optional(raw) : std::nullopt;
}

bool is_shared_flag(uint32_t value) { return value == 0 || value == shared_flag; }

// What must be so whatever state the mutex is in.
bool can_be_mutex(const RawMutex& raw) {
  const uint32_t bits = raw.kind;
  if ((bits & ~kind::all) != 0 || raw.users > most_users) return false;
  const bool inherits = (bits & kind::inherit) != 0, protects = (bits & kind::protect) != 0;
  if (inherits && protects) return false;
  const bool is_robust = (bits & kind::robust) != 0;
  if (!is_robust && (raw.previous != 0 || raw.next != 0)) return false;
  if (is_robust || inherits || protects) return true;
  // Only the path for the others counts a lock of a mutex that is not recursive.
  const bool counts = (bits & kind::type) == static_cast<uint32_t>(MutexType::recursive);
  return (counts || raw.count == 0) && raw.lock <= 2;  // 0 free, 1 locked, 2 locked and somebody may wait
}

MutexState state_of(const RawMutex& raw, bool holds_tid) {
  if (raw.owner == owner_not_recoverable) return MutexState::not_recoverable;
  if (raw.owner == owner_inconsistent) return MutexState::inconsistent;
  if (!holds_tid) return (raw.lock & 3) == 0 ? MutexState::unlocked : MutexState::locked;
  if ((raw.lock & futex_owner_died_bit) != 0) return MutexState::owner_died;
  return (raw.lock & futex_tid_mask) == 0 ? MutexState::unlocked : MutexState::locked;
}

}  // namespace

std::optional<PthreadMutex> read_pthread_mutex(Bytes bytes) {
  auto raw = take<RawMutex>(bytes);
  if (!raw || !can_be_mutex(*raw)) return {};
  PthreadMutex mutex;
  const uint32_t bits = raw->kind;
  mutex.type = static_cast<MutexType>(bits & kind::type);
  mutex.is_robust = (bits & kind::robust) != 0;
  mutex.inherits_priority = (bits & kind::inherit) != 0;
  mutex.protects_priority = (bits & kind::protect) != 0;
  // nptl/pthread_mutex_init.c sets the bit of every robust one, whether it is shared or not.
  mutex.is_process_shared = (bits & kind::shared) != 0 && !mutex.is_robust;
  mutex.may_be_elided = (bits & kind::elision) != 0;
  // The futex word of robust and of inheriting mutexes is the kernel's: the owner's id and two bits. Of protecting ones
  // it is the ceiling above the usual 0, 1, 2.
  const bool holds_tid = mutex.is_robust || mutex.inherits_priority;
  mutex.state = state_of(*raw, holds_tid);
  mutex.has_waiters = holds_tid ? (raw->lock & futex_waiters_bit) != 0 : (raw->lock & 3) == 2;
  if (mutex.state == MutexState::locked || mutex.state == MutexState::inconsistent) {
    mutex.owner = holds_tid ? raw->lock & futex_tid_mask : static_cast<uint32_t>(raw->owner);
    if (mutex.owner > futex_tid_mask) mutex.owner = 0;
    mutex.recursion = mutex.type == MutexType::recursive && raw->count != 0 ? static_cast<uint32_t>(raw->count) : 1;
  }
  return mutex;
}

std::optional<PthreadRwlock> read_pthread_rwlock(Bytes bytes) {
  auto raw = take<RawRwlock>(bytes);
  if (!raw) return {};
  const uint32_t counted = raw->readers >> reader_shift, waiting = raw->writers & ~writers_handover;
  if (raw->phase_futex > most_of_futex_word || raw->writers_futex > most_of_futex_word || raw->padding_3 != 0 ||
      raw->padding_4 != 0 || raw->padding_2 != 0 || raw->current_writer > futex_tid_mask ||
      !is_shared_flag(raw->shared) || raw->flags > 3 || counted > most_threads || waiting > most_threads)
    return {};
  PthreadRwlock lock;
  lock.is_process_shared = raw->shared == shared_flag;
  lock.prefers_writers = raw->flags != 0;
  lock.writers_waiting = waiting;
  // In a write phase the readers counted are those that wait for its end.
  if ((raw->readers & write_phase) == 0) {
    lock.readers = counted;
  } else {
    lock.readers_waiting = counted;
    if ((raw->readers & write_locked) != 0) lock.writer = raw->current_writer;
  }
  return lock;
}

std::optional<PthreadCond> read_pthread_cond(Bytes bytes, CondLayout layout) {
  auto raw = take<RawCond>(bytes);
  if (!raw) return {};
  // The first group starts behind what was waited for already; the lowest bit of both numbers is the group's index.
  const uint64_t started = raw->first_group_start >> 1, waited = raw->sequence >> 1;
  const uint32_t references = raw->words[cond_references_word(layout)];
  if (started > waited || waited > most_waits || (references >> 3) == 0 || (references >> 3) > most_threads) return {};
  if (layout == CondLayout::from_2_41 && (raw->words[6] != 0 || raw->words[7] != 0)) return {};
  return PthreadCond{(references & 1) != 0, (references & 2) != 0, references >> 3};
}

std::optional<PthreadSemaphore> read_pthread_semaphore(Bytes bytes) {
  auto raw = take<RawSemaphore>(bytes);
  // SEM_VALUE_MAX is INT_MAX.
  if (!raw || raw->value > INT32_MAX || raw->waiters > most_threads || !is_shared_flag(raw->shared)) return {};
  return PthreadSemaphore{raw->shared == shared_flag, raw->value, raw->waiters};
}

std::optional<PthreadBarrier> read_pthread_barrier(Bytes bytes) {
  auto raw = take<RawBarrier>(bytes);
  if (!raw || raw->count == 0 || raw->count > INT32_MAX || !is_shared_flag(raw->shared)) return {};
  // __in counts on through the rounds, each of which begins at __current_round.
  const uint32_t arrived = raw->in - raw->round;
  if (arrived > raw->count) return {};
  return PthreadBarrier{raw->shared == shared_flag, raw->count, arrived};
}

std::optional<StreamLock> read_stream_lock(Bytes bytes) {
  auto raw = take<RawStreamLock>(bytes);
  if (!raw || raw->lock > 2 || raw->count > INT32_MAX || raw->owner % 16 != 0) return {};
  return StreamLock{raw->count, raw->owner};
}

}  // namespace culprit
