// The locks of glibc as they lie in memory: x86-64, glibc 2.31 to 2.41. Bytes in, values out: no I/O.
//
// A lock in memory carries no mark of what it is, so each reader says "this can be one" or nothing: what its fields
// must be to each other is checked as strictly as glibc's own code allows. Memory that happens to look alike remains
// possible; who knows better (by the function that waits) asks for one kind only.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"

namespace culprit {

// In thread ids as the process itself sees them (its pid namespace).
inline constexpr uint32_t futex_waiters_bit = 0x80000000, futex_owner_died_bit = 0x40000000,
                          futex_tid_mask = 0x3fffffff;

enum class MutexType : uint8_t { normal, recursive, error_checking, adaptive };
enum class MutexState : uint8_t {
  unlocked,
  locked,
  owner_died,       // robust: its owner ended with it; the next one to lock it is told
  inconsistent,     // robust: somebody was told, holds it and has not repaired it yet
  not_recoverable,  // robust: nobody repaired it; it can never be locked again
};

// pthread_mutex_t; also what std::mutex, recursive_mutex, timed_mutex and recursive_timed_mutex consist of.
struct PthreadMutex {
  MutexType type = MutexType::normal;
  bool is_robust = false, inherits_priority = false, protects_priority = false;
  bool is_process_shared = false;  // of a robust one that is not recorded: false
  bool may_be_elided = false;  // by hardware transactions: locked without anything of it in memory
  MutexState state = MutexState::unlocked;
  bool has_waiters = false;  // or had some
  uint32_t owner = 0;        // 0: nobody, or it is being taken or released at this moment
  uint32_t recursion = 0;    // how often the owner has locked it
};

// pthread_rwlock_t, and std::shared_mutex, shared_timed_mutex.
struct PthreadRwlock {
  bool is_process_shared = false;
  bool prefers_writers = false;
  uint32_t writer = 0;           // holds it for writing; 0: nobody does
  uint32_t readers = 0;          // hold it for reading; who they are is recorded nowhere
  uint32_t readers_waiting = 0;  // for a writer to leave; those waiting for other reasons are not counted by the lock
  uint32_t writers_waiting = 0;
};

// pthread_cond_t, and std::condition_variable.
struct PthreadCond {
  bool is_process_shared = false;
  bool is_monotonic = false;  // clock of timed waits
  uint32_t waiters = 0;
};

// sem_t.
struct PthreadSemaphore {
  bool is_process_shared = false;
  uint32_t value = 0, waiters = 0;
};

// pthread_barrier_t.
struct PthreadBarrier {
  bool is_process_shared = false;
  uint32_t needed = 0;   // threads
  uint32_t arrived = 0;  // of this round
};

// The lock inside FILE (_IO_lock_t).
struct StreamLock {
  uint32_t recursion = 0;
  uint64_t owner_thread = 0;  // address of the owner's struct pthread
};

inline constexpr size_t pthread_mutex_bytes = 40, pthread_rwlock_bytes = 56, pthread_cond_bytes = 48,
                        pthread_semaphore_bytes = 16, pthread_barrier_bytes = 20, stream_lock_bytes = 16;

// Of the bytes from the lock's address on; nothing: too few, or these are no such lock.
std::optional<PthreadMutex> read_pthread_mutex(Bytes bytes);
std::optional<PthreadRwlock> read_pthread_rwlock(Bytes bytes);
std::optional<PthreadSemaphore> read_pthread_semaphore(Bytes bytes);
std::optional<PthreadBarrier> read_pthread_barrier(Bytes bytes);
std::optional<StreamLock> read_stream_lock(Bytes bytes);
// With a layout for each of the two times.
enum class CondLayout : uint8_t { until_2_40, from_2_41 };
std::optional<PthreadCond> read_pthread_cond(Bytes bytes, CondLayout layout);

// The words inside that threads wait at (futex addresses), from the lock's start.
inline constexpr uint64_t rwlock_readers_word = 0, rwlock_phase_word = 8, rwlock_writers_word = 12;
inline constexpr uint64_t barrier_round_word = 4;
constexpr uint64_t cond_signals_word(CondLayout layout) { return layout == CondLayout::until_2_40 ? 40 : 32; }

// Of struct pthread, which begins at the thread's fs base.
inline constexpr uint64_t thread_self_field = 0x10, thread_tid_field = 0x2d0;

// The guard of a static variable in a function (Itanium C++ ABI 3.3.2, as libstdc++ fills it in).
inline constexpr uint32_t static_guard_pending = 0x100, static_guard_waiting = 0x10000;

}  // namespace culprit
