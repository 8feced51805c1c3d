// Works with locks, in one way, correctly and for ever: locks_busy MODE READY_FILE. Nothing here is ever stuck.
#include <semaphore.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <condition_variable>
#include <functional>
#include <future>
#include <mutex>
#include <shared_mutex>

#include "lock_victim.h"

std::mutex g_one, g_two;
long shared_number = 0;

void work() {
  for (int i = 0; i < 200; i++) asm volatile("" : : : "memory");
  shared_number++;
}

void always(int threads, std::function<void(int)> step) {
  for (int i = 0; i < threads; i++)
    std::thread([=] {
      for (;;) step(i);
    }).detach();
}

template <typename Lock>
void contend() {
  static Lock lock;
  always(4, [](int) {
    std::lock_guard keep(lock);
    work();
  });
}

pthread_mutex_t* posix_mutex(int protocol, int robust, int shared) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setprotocol(&attributes, protocol);
  pthread_mutexattr_setrobust(&attributes, robust);
  pthread_mutexattr_setpshared(&attributes, shared);
  void* memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  auto* mutex = static_cast<pthread_mutex_t*>(memory);
  pthread_mutex_init(mutex, &attributes);
  return mutex;
}

void contend_posix(int protocol, int robust) {
  static pthread_mutex_t* mutex = posix_mutex(protocol, robust, PTHREAD_PROCESS_PRIVATE);
  always(4, [](int) {
    pthread_mutex_lock(mutex);
    work();
    pthread_mutex_unlock(mutex);
  });
}

void plain() { contend<std::mutex>(); }
void recursive() { contend<std::recursive_mutex>(); }
void writers() { contend<std::shared_mutex>(); }
void inheriting() { contend_posix(PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_STALLED); }
void robust() { contend_posix(PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST); }

void in_order() {
  always(6, [](int) {
    std::lock_guard first(g_one), second(g_two);
    work();
  });
}

// Each order, by trying and going back.
void in_any_order() {
  always(4, [](int i) {
    if (i % 2 == 0) {
      std::scoped_lock both(g_one, g_two);
      work();
    } else {
      std::scoped_lock both(g_two, g_one);
      work();
    }
  });
}

// The orders alternate, but never at one time: a phase for each.
void in_phases() {
  static pthread_barrier_t barrier;
  pthread_barrier_init(&barrier, nullptr, 3);
  always(3, [](int) {
    {
      std::lock_guard first(g_one), second(g_two);
      work();
    }
    pthread_barrier_wait(&barrier);
    {
      std::lock_guard first(g_two), second(g_one);
      work();
    }
    pthread_barrier_wait(&barrier);
  });
}

void hand_over_hand() {
  static std::mutex chain[16];
  always(4, [](int) {
    chain[0].lock();
    for (int i = 1; i < 16; i++) {
      chain[i].lock();
      chain[i - 1].unlock();
    }
    chain[15].unlock();
  });
}

void readers_and_writers() {
  static std::shared_mutex lock;
  always(6, [](int i) {
    if (i < 2) {
      std::lock_guard keep(lock);
      work();
    } else {
      std::shared_lock keep(lock);
      for (int j = 0; j < 200; j++) asm volatile("" : : : "memory");
    }
  });
}

void queue() {
  static std::condition_variable changed;
  static int filled = 0;
  always(4, [](int i) {
    std::unique_lock lock(g_one);
    changed.wait(lock, [&] { return i < 2 ? filled < 8 : filled > 0; });
    filled += i < 2 ? 1 : -1;
    changed.notify_all();
  });
}

void ping_pong() {
  static sem_t ball[2];
  sem_init(&ball[0], 0, 1);
  sem_init(&ball[1], 0, 0);
  always(2, [](int i) {
    sem_wait(&ball[i]);
    work();
    sem_post(&ball[1 - i]);
  });
}

void rounds() {
  static pthread_barrier_t barrier;
  pthread_barrier_init(&barrier, nullptr, 4);
  always(4, [](int) { pthread_barrier_wait(&barrier); });
}

void futures() {
  always(2, [](int) { std::async(std::launch::async, work).get(); });
}
void joins() {
  always(2, [](int) { std::thread(work).join(); });
}
void once() {
  always(4, [](int) {
    std::once_flag flag;
    std::thread other([&] { std::call_once(flag, work); });
    std::call_once(flag, work);
    other.join();
  });
}
void allocations() {
  always(6, [](int i) {
    std::vector<std::unique_ptr<char[]>> all;
    for (int j = 0; j < 100; j++) all.push_back(std::make_unique<char[]>(static_cast<size_t>(2000 + i * j)));
  });
}
void timed() {
  static std::timed_mutex lock;
  always(4, [](int) {
    if (!lock.try_lock_for(std::chrono::microseconds(50))) return;
    work();
    lock.unlock();
  });
}
void printing() {
  static FILE* nowhere = fopen("/dev/null", "w");
  always(4, [](int i) { fprintf(nowhere, "%d\n", i); });
}
void file_locks() {
  static std::string path = "/tmp/culprit_locks_busy_" + std::to_string(getpid());
  always(3, [](int) {
    int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    flock(file, LOCK_EX);
    unlink(path.c_str());
    close(file);
  });
}
void between_processes() {
  static pthread_mutex_t* one = posix_mutex(PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_SHARED);
  static pthread_mutex_t* two = posix_mutex(PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST, PTHREAD_PROCESS_SHARED);
  if (fork() == 0) prctl(PR_SET_PDEATHSIG, SIGKILL);
  always(2, [](int) {
    pthread_mutex_lock(one);
    pthread_mutex_lock(two);
    work();
    pthread_mutex_unlock(two);
    pthread_mutex_unlock(one);
  });
}

struct Mode {
  const char* name;
  void (*enter)();
};
constexpr Mode modes[] = {{"plain", plain},
                          {"recursive", recursive},
                          {"writers", writers},
                          {"inheriting", inheriting},
                          {"robust", robust},
                          {"in_order", in_order},
                          {"in_any_order", in_any_order},
                          {"in_phases", in_phases},
                          {"hand_over_hand", hand_over_hand},
                          {"readers_and_writers", readers_and_writers},
                          {"queue", queue},
                          {"ping_pong", ping_pong},
                          {"rounds", rounds},
                          {"futures", futures},
                          {"joins", joins},
                          {"once", once},
                          {"allocations", allocations},
                          {"timed", timed},
                          {"printing", printing},
                          {"file_locks", file_locks},
                          {"between_processes", between_processes}};

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const Mode& mode : modes) {
    if (strcmp(argv[1], mode.name) != 0) continue;
    mode.enter();
    make_file(argv[2]);
    for (;;) pause();
  }
  return 2;
}
