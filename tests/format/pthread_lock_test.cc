// The C library of this machine makes the locks; what the layouts of other versions are is built by hand.
#include "format/pthread_lock.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <shared_mutex>
#include <thread>

namespace culprit {
namespace {

template <typename Lock>
Bytes bytes_of(const Lock& lock) {
  return std::as_bytes(std::span(&lock, 1));
}

struct Attributes {
  Attributes() { pthread_mutexattr_init(&value); }
  ~Attributes() { pthread_mutexattr_destroy(&value); }
  pthread_mutexattr_t value;
};

uint32_t own_tid() { return static_cast<uint32_t>(gettid()); }

TEST(PthreadLock, TellsTheOwnerOfAMutexOfEachType) {
  const std::pair<int, MutexType> types[] = {{PTHREAD_MUTEX_NORMAL, MutexType::normal},
                                             {PTHREAD_MUTEX_RECURSIVE, MutexType::recursive},
                                             {PTHREAD_MUTEX_ERRORCHECK, MutexType::error_checking},
                                             {PTHREAD_MUTEX_ADAPTIVE_NP, MutexType::adaptive}};
  for (auto [made_as, type] : types) {
    for (int protocol : {PTHREAD_PRIO_NONE, PTHREAD_PRIO_INHERIT}) {
      for (int robust : {PTHREAD_MUTEX_STALLED, PTHREAD_MUTEX_ROBUST}) {
        SCOPED_TRACE(testing::Message() << made_as << " " << protocol << " " << robust);
        Attributes attributes;
        pthread_mutexattr_settype(&attributes.value, made_as);
        pthread_mutexattr_setprotocol(&attributes.value, protocol);
        pthread_mutexattr_setrobust(&attributes.value, robust);
        pthread_mutex_t mutex;
        ASSERT_EQ(pthread_mutex_init(&mutex, &attributes.value), 0);
        auto free = read_pthread_mutex(bytes_of(mutex));
        ASSERT_TRUE(free);
        EXPECT_EQ(free->state, MutexState::unlocked);
        EXPECT_EQ(free->owner, 0u);
        pthread_mutex_lock(&mutex);
        auto held = read_pthread_mutex(bytes_of(mutex));
        ASSERT_TRUE(held);
        EXPECT_EQ(held->state, MutexState::locked);
        EXPECT_EQ(held->owner, own_tid());
        EXPECT_EQ(held->type, type);
        EXPECT_EQ(held->is_robust, robust == PTHREAD_MUTEX_ROBUST);
        EXPECT_EQ(held->inherits_priority, protocol == PTHREAD_PRIO_INHERIT);
        EXPECT_EQ(held->recursion, 1u);
        EXPECT_FALSE(held->has_waiters);
        pthread_mutex_unlock(&mutex);
        pthread_mutex_destroy(&mutex);
      }
    }
  }
}

TEST(PthreadLock, TheLockOfAStreamIsNoMutex) {
  const uint64_t owner = 0x7f8a03fff6c0;  // its struct pthread
  const uint32_t words[10] = {2, 0, static_cast<uint32_t>(owner), static_cast<uint32_t>(owner >> 32)};
  EXPECT_FALSE(read_pthread_mutex(bytes_of(words)));
}

TEST(PthreadLock, CountsTheRecursionOfARecursiveMutex) {
  std::recursive_mutex mutex;
  for (int i = 0; i < 3; i++) mutex.lock();
  EXPECT_EQ(read_pthread_mutex(bytes_of(mutex))->recursion, 3u);
  for (int i = 0; i < 3; i++) mutex.unlock();
}

TEST(PthreadLock, TellsARobustMutexWhoseOwnerDied) {
  Attributes attributes;
  pthread_mutexattr_setrobust(&attributes.value, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_t mutex;
  pthread_mutex_init(&mutex, &attributes.value);
  std::thread([&] { pthread_mutex_lock(&mutex); }).join();
  EXPECT_EQ(read_pthread_mutex(bytes_of(mutex))->state, MutexState::owner_died);
  EXPECT_EQ(pthread_mutex_lock(&mutex), EOWNERDEAD);
  EXPECT_EQ(read_pthread_mutex(bytes_of(mutex))->state, MutexState::inconsistent);
  EXPECT_EQ(read_pthread_mutex(bytes_of(mutex))->owner, own_tid());
  pthread_mutex_unlock(&mutex);
  EXPECT_EQ(read_pthread_mutex(bytes_of(mutex))->state, MutexState::not_recoverable);
}

TEST(PthreadLock, TellsReadersAndTheWriterOfAReadWriteLock) {
  std::shared_mutex lock;
  lock.lock_shared();
  EXPECT_EQ(read_pthread_rwlock(bytes_of(lock))->readers, 1u);
  EXPECT_EQ(read_pthread_rwlock(bytes_of(lock))->writer, 0u);
  lock.unlock_shared();
  lock.lock();
  EXPECT_EQ(read_pthread_rwlock(bytes_of(lock))->readers, 0u);
  EXPECT_EQ(read_pthread_rwlock(bytes_of(lock))->writer, own_tid());
  lock.unlock();
  EXPECT_EQ(read_pthread_rwlock(bytes_of(lock))->writer, 0u);
}

TEST(PthreadLock, ReadsSemaphoresBarriersAndStreams) {
  sem_t semaphore;
  sem_init(&semaphore, 1, 7);
  auto read = read_pthread_semaphore(bytes_of(semaphore));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->value, 7u);
  EXPECT_TRUE(read->is_process_shared);

  pthread_barrier_t barrier;
  pthread_barrier_init(&barrier, nullptr, 3);
  EXPECT_EQ(read_pthread_barrier(bytes_of(barrier))->needed, 3u);
  EXPECT_EQ(read_pthread_barrier(bytes_of(barrier))->arrived, 0u);

  flockfile(stderr);
  auto lock = read_stream_lock({reinterpret_cast<const std::byte*>(stderr->_lock), stream_lock_bytes});
  funlockfile(stderr);
  ASSERT_TRUE(lock);
  EXPECT_EQ(lock->recursion, 1u);
  EXPECT_EQ(lock->owner_thread, pthread_self());
}

TEST(PthreadLock, KnowsWhereAThreadKeepsItsIdAndItself) {
  const auto* thread = reinterpret_cast<const char*>(pthread_self());
  uint32_t tid = 0;
  uint64_t self = 0;
  memcpy(&tid, thread + thread_tid_field, sizeof tid);
  memcpy(&self, thread + thread_self_field, sizeof self);
  EXPECT_EQ(tid, own_tid());
  EXPECT_EQ(self, pthread_self());
}

// A condition variable with 2 waiters, made by words: until 2.40 their number stands at 36, from 2.41 at 28.
TEST(PthreadLock, ReadsConditionVariablesOfBothLayouts) {
  uint32_t words[12] = {};
  words[0] = 6;  // sequence
  words[9] = (2 << 3) | 2;
  auto older = read_pthread_cond(bytes_of(words), CondLayout::until_2_40);
  ASSERT_TRUE(older);
  EXPECT_EQ(older->waiters, 2u);
  EXPECT_TRUE(older->is_monotonic);
  EXPECT_FALSE(older->is_process_shared);
  EXPECT_FALSE(read_pthread_cond(bytes_of(words), CondLayout::from_2_41));
  std::swap(words[9], words[7]);
  EXPECT_EQ(read_pthread_cond(bytes_of(words), CondLayout::from_2_41)->waiters, 2u);
  EXPECT_FALSE(read_pthread_cond(bytes_of(words), CondLayout::until_2_40));
}

TEST(PthreadLock, RefusesMemoryThatCannotBeOne) {
  std::byte noise[64];
  for (size_t i = 0; i < sizeof noise; i++) noise[i] = static_cast<std::byte>(i * 37 + 11);
  EXPECT_FALSE(read_pthread_mutex(noise));
  EXPECT_FALSE(read_pthread_rwlock(noise));
  EXPECT_FALSE(read_pthread_cond(noise, CondLayout::until_2_40));
  EXPECT_FALSE(read_pthread_barrier(noise));
  std::mutex mutex;
  EXPECT_FALSE(read_pthread_mutex(bytes_of(mutex).first(39)));
}

}  // namespace
}  // namespace culprit
