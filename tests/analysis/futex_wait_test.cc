// Threads of the test itself wait for real locks; what they wait for is told from their system call and from memory.
#include "analysis/futex_wait.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <future>
#include <mutex>
#include <shared_mutex>
#include <thread>

#include "base/syscall.h"

namespace culprit {
namespace {

class OwnMemory final : public MemoryReader {
 public:
  bool read(uint64_t address, std::span<std::byte> into) override {
    iovec here{into.data(), into.size()}, there{reinterpret_cast<void*>(address), into.size()};
    return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == static_cast<ssize_t>(into.size());
  }
};

bool is_own_thread(uint32_t tid) {
  return tid != 0 && access(("/proc/self/task/" + std::to_string(tid)).c_str(), F_OK) == 0;
}

// The system call that a thread stands in, once it does.
std::optional<BlockingCall> futex_call_of_thread(uint32_t tid) {
  for (int tries = 0; tries < 20'000; tries++, usleep(500)) {
    auto text = read_whole_file("/proc/self/task/" + std::to_string(tid) + "/syscall", 512);
    unsigned long long a[6], number = 0;
    if (!text || sscanf(text->c_str(), "%llu %llx %llx %llx %llx %llx %llx", &number, &a[0], &a[1], &a[2], &a[3], &a[4],
                        &a[5]) != 7)
      continue;
    if (number == SYS_futex) return BlockingCall{number, {a[0], a[1], a[2], a[3], a[4], a[5]}};
  }
  return {};
}

// A thread that waits until `release` is called.
struct Waiter {
  Waiter(std::function<void()> wait, std::function<void()> release) : release_(std::move(release)) {
    thread_ = std::thread([this, wait = std::move(wait)] {
      tid_ = gettid();
      wait();
    });
    while (tid_ == 0) usleep(100);
  }
  ~Waiter() {
    release_();
    thread_.join();
  }
  TypedWait typed(LockKind known = LockKind::futex) {
    auto call = futex_call_of_thread(static_cast<uint32_t>(tid_.load()));
    EXPECT_TRUE(call) << "it does not wait";
    auto futex = call ? futex_call_of(*call) : std::nullopt;
    EXPECT_TRUE(futex);
    OwnMemory memory;
    return futex ? type_futex_wait(*futex, memory, is_own_thread, known) : TypedWait{};
  }
  std::atomic<int> tid_{0};
  std::function<void()> release_;
  std::thread thread_;
};

uint32_t own_tid() { return static_cast<uint32_t>(gettid()); }
template <typename T>
uint64_t address_of(const T& object) {
  return reinterpret_cast<uint64_t>(&object);
}

TEST(FutexWait, TellsTheMutexAndItsOwnerOfEveryKind) {
  for (int type : {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ADAPTIVE_NP})
    for (int protocol : {PTHREAD_PRIO_NONE, PTHREAD_PRIO_INHERIT})
      for (int robust : {PTHREAD_MUTEX_STALLED, PTHREAD_MUTEX_ROBUST})
        for (int shared : {PTHREAD_PROCESS_PRIVATE, PTHREAD_PROCESS_SHARED}) {
          SCOPED_TRACE(testing::Message() << type << " " << protocol << " " << robust << " " << shared);
          pthread_mutexattr_t attributes;
          pthread_mutexattr_init(&attributes);
          pthread_mutexattr_settype(&attributes, type);
          pthread_mutexattr_setprotocol(&attributes, protocol);
          pthread_mutexattr_setrobust(&attributes, robust);
          pthread_mutexattr_setpshared(&attributes, shared);
          pthread_mutex_t mutex;
          pthread_mutex_init(&mutex, &attributes);
          pthread_mutex_lock(&mutex);
          {
            Waiter waiter(
                [&] {
                  pthread_mutex_lock(&mutex);
                  pthread_mutex_unlock(&mutex);
                },
                [&] { pthread_mutex_unlock(&mutex); });
            TypedWait typed = waiter.typed();
            EXPECT_EQ(typed.lock.kind, LockKind::mutex);
            EXPECT_EQ(typed.lock.address, address_of(mutex));
            EXPECT_EQ(typed.lock.owner, own_tid());
            EXPECT_EQ(typed.lock.is_robust, robust == PTHREAD_MUTEX_ROBUST);
            if (robust == PTHREAD_MUTEX_STALLED) {
              EXPECT_EQ(typed.lock.is_process_shared, shared == PTHREAD_PROCESS_SHARED);
            }
          }
          pthread_mutex_destroy(&mutex);
        }
}

TEST(FutexWait, TellsAMutexThatIsWaitedForWithATimeout) {
  std::timed_mutex mutex;
  mutex.lock();
  Waiter waiter([&] { EXPECT_TRUE(mutex.try_lock_for(std::chrono::hours(1))), mutex.unlock(); },
                [&] { mutex.unlock(); });
  TypedWait typed = waiter.typed();
  EXPECT_EQ(typed.lock.kind, LockKind::mutex);
  EXPECT_EQ(typed.lock.owner, own_tid());
}

TEST(FutexWait, TellsReadersAndWritersThatWaitForAWriter) {
  std::shared_mutex lock;
  lock.lock();
  Waiter writer([&] { lock.lock(), lock.unlock(); }, [] {});
  TypedWait writing = writer.typed();
  Waiter reader([&] { lock.lock_shared(), lock.unlock_shared(); }, [&] { lock.unlock(); });
  TypedWait reading = reader.typed();
  for (const TypedWait& typed : {writing, reading}) {
    EXPECT_EQ(typed.lock.kind, LockKind::rwlock);
    EXPECT_EQ(typed.lock.address, address_of(lock));
    EXPECT_EQ(typed.lock.owner, own_tid());
  }
  EXPECT_EQ(writing.mode, WaitMode::write);
  EXPECT_EQ(reading.mode, WaitMode::read);
}

TEST(FutexWait, TellsAWriterThatWaitsForReaders) {
  std::shared_mutex lock;
  lock.lock_shared();
  Waiter writer([&] { lock.lock(), lock.unlock(); }, [&] { lock.unlock_shared(); });
  TypedWait typed = writer.typed();
  EXPECT_EQ(typed.lock.kind, LockKind::rwlock);
  EXPECT_EQ(typed.mode, WaitMode::write);
  EXPECT_EQ(typed.lock.readers, 1u);
  EXPECT_EQ(typed.lock.owner, 0u);
}

TEST(FutexWait, TellsAReaderThatWaitsBehindAPreferredWriter) {
  pthread_rwlockattr_t attributes;
  pthread_rwlockattr_init(&attributes);
  pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
  pthread_rwlock_t lock;
  pthread_rwlock_init(&lock, &attributes);
  pthread_rwlock_rdlock(&lock);
  Waiter writer([&] { pthread_rwlock_wrlock(&lock), pthread_rwlock_unlock(&lock); }, [] {});
  writer.typed();
  Waiter reader([&] { pthread_rwlock_rdlock(&lock), pthread_rwlock_unlock(&lock); },
                [&] { pthread_rwlock_unlock(&lock); });
  TypedWait typed = reader.typed();
  EXPECT_EQ(typed.lock.kind, LockKind::rwlock);
  EXPECT_EQ(typed.lock.address, address_of(lock));
  EXPECT_EQ(typed.mode, WaitMode::read);
  EXPECT_EQ(typed.lock.owner, 0u);
}

TEST(FutexWait, TellsConditionVariablesWithAndWithoutTimeout) {
  std::mutex mutex;
  std::condition_variable condition;
  bool done = false;
  auto finish = [&] {
    std::lock_guard lock(mutex);
    done = true;
    condition.notify_all();
  };
  Waiter forever(
      [&] {
        std::unique_lock lock(mutex);
        condition.wait(lock, [&] { return done; });
      },
      [] {});
  Waiter timed(
      [&] {
        std::unique_lock lock(mutex);
        condition.wait_for(lock, std::chrono::hours(1), [&] { return done; });
      },
      finish);
  for (Waiter* waiter : {&forever, &timed}) {
    TypedWait typed = waiter->typed();
    EXPECT_EQ(typed.lock.kind, LockKind::condition);
    EXPECT_EQ(typed.lock.address, address_of(condition));
    EXPECT_EQ(typed.lock.owner, 0u);
  }
}

TEST(FutexWait, TellsASemaphore) {
  sem_t semaphore;
  sem_init(&semaphore, 0, 0);
  Waiter waiter([&] { sem_wait(&semaphore); }, [&] { sem_post(&semaphore); });
  TypedWait typed = waiter.typed();
  EXPECT_EQ(typed.lock.kind, LockKind::semaphore);
  EXPECT_EQ(typed.lock.address, address_of(semaphore));
  EXPECT_EQ(typed.lock.waiters, 1u);
}

TEST(FutexWait, TellsWhichThreadIsJoined) {
  std::atomic<int> joined_tid{0}, end{0};
  std::thread joined([&] {
    joined_tid = gettid();
    while (end == 0) usleep(1000);
  });
  while (joined_tid == 0) usleep(100);
  Waiter waiter([&] { joined.join(); }, [&] { end = 1; });
  TypedWait typed = waiter.typed();
  EXPECT_EQ(typed.lock.kind, LockKind::thread_end);
  EXPECT_EQ(typed.lock.owner, static_cast<uint32_t>(joined_tid));
}

TEST(FutexWait, TellsTheOwnerOfAStream) {
  FILE* file = fopen("/dev/null", "w");
  flockfile(file);
  {
    Waiter waiter([&] { fputs("x", file); }, [&] { funlockfile(file); });
    TypedWait typed = waiter.typed();
    EXPECT_EQ(typed.lock.kind, LockKind::stream);
    EXPECT_EQ(typed.lock.owner, own_tid());
  }
  fclose(file);
}

// Where the bytes say too little, the function that waits must.
TEST(FutexWait, TakesBarriersFuturesAndAtomicsForFutexesUntilTheFunctionIsKnown) {
  pthread_barrier_t barrier;
  pthread_barrier_init(&barrier, nullptr, 2);
  {
    Waiter waiter([&] { pthread_barrier_wait(&barrier); }, [&] { pthread_barrier_wait(&barrier); });
    EXPECT_EQ(waiter.typed().lock.kind, LockKind::futex);
    TypedWait typed = waiter.typed(LockKind::barrier);
    EXPECT_EQ(typed.lock.kind, LockKind::barrier);
    EXPECT_EQ(typed.lock.address, address_of(barrier));
    EXPECT_EQ(typed.lock.arrived, 1u);
    EXPECT_EQ(typed.lock.needed, 2u);
  }
  std::promise<int> promise;
  {
    auto future = promise.get_future();
    Waiter waiter([&] { EXPECT_EQ(future.get(), 1); }, [&] { promise.set_value(1); });
    EXPECT_EQ(waiter.typed().lock.kind, LockKind::futex);
    EXPECT_EQ(waiter.typed(LockKind::future).lock.kind, LockKind::future);
  }
  std::atomic<int> word{0};
  Waiter waiter([&] { word.wait(0); }, [&] { word = 1, word.notify_all(); });
  EXPECT_EQ(waiter.typed().lock.kind, LockKind::futex);
  EXPECT_EQ(waiter.typed(LockKind::word).lock.kind, LockKind::word);
}

struct Initialised {
  Initialised(std::atomic<int>& begun, std::atomic<int>& end) {
    begun = 1;
    while (end == 0) usleep(1000);
    throw 0;  // so that it is not initialised, and the test can be repeated
  }
};
void initialise(std::atomic<int>& begun, std::atomic<int>& end) {
  try {
    static Initialised once(begun, end);
  } catch (int) {
  }
}

TEST(FutexWait, TellsAStaticVariableBeingInitialised) {
  static std::atomic<int> begun, end;
  begun = end = 0;
  std::thread initialiser([] { initialise(begun, end); });
  while (begun == 0) usleep(100);
  {
    Waiter waiter([] { initialise(begun, end); }, [] { end = 1; });
    EXPECT_EQ(waiter.typed().lock.kind, LockKind::static_guard);
  }
  initialiser.join();
}

TEST(FutexWait, ReadsFromFreeAndUnreadableMemoryWithoutClaimingALock) {
  OwnMemory memory;
  FutexCall call;
  call.operation = 0;
  call.is_private = true;
  for (uint32_t value : {0u, 1u, 2u, 3u, futex_waiters_bit}) {
    for (uint64_t address : {uint64_t{0}, uint64_t{4}, uint64_t{0x1000}, UINT64_MAX - 3}) {
      call.address = address;
      call.value = value;
      TypedWait typed = type_futex_wait(call, memory, is_own_thread);
      EXPECT_EQ(typed.lock.kind, LockKind::futex);
      EXPECT_EQ(typed.lock.owner, 0u);
    }
  }
}

}  // namespace
}  // namespace culprit
