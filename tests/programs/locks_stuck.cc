// Gets stuck in one way and stays so: locks_stuck MODE READY_FILE. The modes are the rows at the end.
#include <dlfcn.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <semaphore.h>
#include <sys/syscall.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <shared_mutex>

#include "lock_victim.h"

std::mutex g_mutex1, g_mutex2, g_mutex3;
std::recursive_mutex g_recursive1, g_recursive2;
std::timed_mutex g_timed1, g_timed2;
std::shared_mutex g_shared1, g_shared2;
pthread_mutex_t g_posix1, g_posix2;
std::atomic<int> steps{0};

// Takes one lock, waits until the other thread has taken its own, and then wants that one.
template <typename First, typename Second>
[[gnu::noinline]] void take_one_then(First first, Second second, int others = 2) {
  first();
  steps++;
  spin_until(steps, others);
  second();
}

template <typename Lock>
void cross(Lock& one, Lock& other) {
  std::thread([&] {
    name_thread("worker_a");
    take_one_then([&] { one.lock(); }, [&] { other.lock(); });
  }).detach();
  std::thread([&] {
    name_thread("worker_b");
    take_one_then([&] { other.lock(); }, [&] { one.lock(); });
  }).detach();
}

struct PosixLock {
  pthread_mutex_t& mutex;
  void lock() { pthread_mutex_lock(&mutex); }
};

void cross_posix(int type, int protocol, int robust) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, type);
  pthread_mutexattr_setprotocol(&attributes, protocol);
  pthread_mutexattr_setrobust(&attributes, robust);
  pthread_mutex_init(&g_posix1, &attributes);
  pthread_mutex_init(&g_posix2, &attributes);
  static PosixLock one{g_posix1}, other{g_posix2};
  cross(one, other);
}

void mutexes() {
  cross(g_mutex1, g_mutex2);
  spin_until(steps, 2);
  std::thread([] {
    name_thread("behind");
    g_mutex1.lock();
  }).detach();
}
void recursive() { cross(g_recursive1, g_recursive2); }
void shared() { cross(g_shared1, g_shared2); }

struct Account {
  long balance = 0;
  std::mutex mutex;
};
Account* g_account = new Account;
[[gnu::noinline]] void keep(std::unique_lock<std::mutex>& lock) { asm volatile("" : : "r"(&lock) : "memory"); }
[[gnu::noinline]] void by_name() {
  std::lock_guard first(g_mutex1);  // where by_name takes it
  steps++;
  spin_until(steps, 2);
  std::lock_guard second(g_account->mutex);
  asm volatile("" : : : "memory");
}
[[gnu::noinline]] void by_pointer(Account& account) {
  std::unique_lock first(account.mutex);  // where by_pointer takes it
  keep(first);
  steps++;
  spin_until(steps, 2);
  g_mutex1.lock();
  keep(first);
}
// The locks are taken where one sees it: by functions that still stand on the stack.
void guards() {
  std::thread([] {
    name_thread("by_name");
    by_name();
  }).detach();
  std::thread([] {
    name_thread("by_pointer");
    by_pointer(*g_account);
  }).detach();
}
void error_checking() { cross_posix(PTHREAD_MUTEX_ERRORCHECK, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED); }
void adaptive() { cross_posix(PTHREAD_MUTEX_ADAPTIVE_NP, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED); }
void robust() { cross_posix(PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST); }
// The kernel itself refuses a cycle of inheriting mutexes only where it runs over requeued waits: it stays one.
void inheriting() { cross_posix(PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_STALLED); }

void mixed() {
  std::thread([] {
    name_thread("worker_a");
    take_one_then([] { g_mutex1.lock(); }, [] { g_shared1.lock_shared(); });
  }).detach();
  std::thread([] {
    name_thread("worker_b");
    take_one_then([] { g_shared1.lock(); }, [] { g_mutex1.lock(); });
  }).detach();
}

void philosophers() {
  static std::mutex forks[5];
  static const char* names[] = {"plato", "kant", "hume", "mill", "marx"};
  for (int i = 0; i < 5; i++)
    std::thread([i] {
      name_thread(names[i]);
      take_one_then([i] { forks[i].lock(); }, [i] { forks[(i + 1) % 5].lock(); }, 5);
    }).detach();
}

void self() {
  std::thread([] {
    name_thread("selfish");
    pthread_mutex_init(&g_posix1, nullptr);
    pthread_mutex_lock(&g_posix1);
    pthread_mutex_lock(&g_posix1);
  }).detach();
}

void timed() {
  std::thread([] {
    name_thread("worker_a");
    take_one_then([] { g_timed1.lock(); }, [] { (void)g_timed2.try_lock_for(std::chrono::seconds(5000)); });
  }).detach();
  std::thread([] {
    name_thread("worker_b");
    take_one_then([] { g_timed2.lock(); }, [] { g_timed1.lock(); });
  }).detach();
}

// Readers are recorded nowhere.
void readers() {
  std::thread([] {
    name_thread("reader");
    take_one_then([] { g_shared1.lock_shared(); }, [] { g_mutex1.lock(); });
  }).detach();
  std::thread([] {
    name_thread("writer");
    take_one_then([] { g_mutex1.lock(); }, [] { g_shared1.lock(); });
  }).detach();
}

void two_readers() {
  std::thread([] {
    name_thread("worker_a");
    take_one_then([] { g_shared1.lock_shared(); }, [] { g_shared2.lock(); });
  }).detach();
  std::thread([] {
    name_thread("worker_b");
    take_one_then([] { g_shared2.lock_shared(); }, [] { g_shared1.lock(); });
  }).detach();
}

void orphan() {
  std::thread([] { g_mutex1.lock(); }).join();
  for (int i = 0; i < 3; i++)
    std::thread([] {
      name_thread("waiting");
      g_mutex1.lock();
    }).detach();
}

void gone_writer() {
  std::thread([] { g_shared1.lock(); }).join();
  std::thread([] {
    name_thread("waiting");
    g_shared1.lock_shared();
  }).detach();
}

// a waits for b, b for c, c for a condition that never comes; d and e wait for c.
void chain() {
  static std::condition_variable never;
  std::thread([] {
    name_thread("last");
    std::lock_guard keep(g_mutex1);
    steps++;
    std::unique_lock own(g_mutex3);
    never.wait(own, [] { return false; });
  }).detach();
  spin_until(steps, 1);
  std::thread([] {
    name_thread("middle");
    std::lock_guard keep(g_mutex2);
    steps++;
    g_mutex1.lock();
  }).detach();
  spin_until(steps, 2);
  std::thread([] {
    name_thread("first");
    g_mutex2.lock();
  }).detach();
  for (int i = 0; i < 2; i++)
    std::thread([] {
      name_thread("beside");
      g_mutex1.lock();
    }).detach();
}

// Everybody waits for one that is blocked in a call, or computes.
void wait_for_an_owner(void (*does)()) {
  std::thread([does] {
    name_thread("owner");
    std::lock_guard keep(g_mutex1);
    steps++;
    for (;;) does();
  }).detach();
  spin_until(steps, 1);
  std::thread([] {
    name_thread("waiting");
    g_mutex1.lock();
  }).detach();
}
[[gnu::noinline]] void read_what_never_comes() {
  static int ends[2];
  if (ends[0] == 0 && pipe2(ends, O_CLOEXEC) != 0) _exit(4);
  char byte;
  (void)!read(ends[0], &byte, 1);
}
[[gnu::noinline]] void sleep_long() { sleep(5000); }
[[gnu::noinline]] void compute() { asm volatile("" : : : "memory"); }
void owner_reads() { wait_for_an_owner(read_what_never_comes); }
void owner_sleeps() { wait_for_an_owner(sleep_long); }
void owner_runs() { wait_for_an_owner(compute); }

// Joins a thread while it holds what that thread needs.
void join_holding() {
  std::thread([] {
    name_thread("joiner");
    std::lock_guard keep(g_mutex1);
    std::thread joined([] {
      name_thread("joined");
      g_mutex1.lock();
    });
    joined.join();
  }).detach();
}

void stream() {
  std::thread([] {
    name_thread("printer");
    take_one_then([] { flockfile(stdout); }, [] { g_mutex1.lock(); });
  }).detach();
  std::thread([] {
    name_thread("logger");
    take_one_then([] { g_mutex1.lock(); }, [] { puts("never"); });
  }).detach();
}

struct Slow {
  explicit Slow(std::mutex& mutex) {
    steps++;
    mutex.lock();
  }
};
[[gnu::noinline]] void settings() { static Slow value(g_mutex1); }
[[gnu::noinline]] void initialise_once() {
  steps++;
  g_mutex1.lock();
}

// The initialiser waits for a lock whose holder waits for the initialisation.
void static_guard() {
  std::thread([] {
    name_thread("holder");
    g_mutex1.lock();
    steps++;
    spin_until(steps, 2);
    settings();
  }).detach();
  spin_until(steps, 1);
  std::thread([] {
    name_thread("initialiser");
    settings();
  }).detach();
}

void once() {
  static std::once_flag flag;
  std::thread([] {
    name_thread("holder");
    g_mutex1.lock();
    steps++;
    spin_until(steps, 2);
    std::call_once(flag, initialise_once);
  }).detach();
  spin_until(steps, 1);
  std::thread([] {
    name_thread("initialiser");
    std::call_once(flag, initialise_once);
  }).detach();
}

// Every way to wait without anything being wrong.
void healthy_waits() {
  static std::condition_variable condition;
  static std::mutex of_condition;
  static sem_t semaphore;
  static pthread_barrier_t barrier;
  static std::promise<int> promise;
  static std::future<int> future = promise.get_future();
  static std::atomic<int> word{0};
  sem_init(&semaphore, 0, 0);
  pthread_barrier_init(&barrier, nullptr, 3);
  auto start = [](const char* name, void (*wait)()) {
    std::thread([=] {
      name_thread(name);
      wait();
    }).detach();
  };
  start("condition", [] {
    std::unique_lock lock(of_condition);
    condition.wait(lock);
  });
  start("timed_condition", [] {
    std::unique_lock lock(of_condition);
    condition.wait_for(lock, std::chrono::seconds(5000));
  });
  start("semaphore", [] { sem_wait(&semaphore); });
  start("barrier", [] { pthread_barrier_wait(&barrier); });
  start("future", [] { (void)future.get(); });
  start("word", [] { word.wait(0); });
  start("joiner", [] { std::thread([] { pause(); }).join(); });
}

// A deadlock among a thousand threads, most of which only wait for work.
void crowd() {
  static std::condition_variable work;
  static std::mutex of_work;
  for (int i = 0; i < 996; i++)
    std::thread([] {
      name_thread("idle");
      std::unique_lock lock(of_work);
      work.wait(lock, [] { return false; });
    }).detach();
  mutexes();
}

// The library's initialisation waits for a mutex whose holder loads another library.
extern "C" void in_constructor() {
  steps++;
  g_mutex1.lock();
}
void loader() {
  std::thread([] {
    name_thread("other");
    g_mutex1.lock();
    steps++;
    spin_until(steps, 2);
    (void)dlopen("libm.so.6", RTLD_NOW);
  }).detach();
  spin_until(steps, 1);
  std::thread([] {
    name_thread("loading");
    std::string path(4096, '\0');
    path.resize(static_cast<size_t>(readlink("/proc/self/exe", path.data(), path.size())));
    (void)dlopen((path.substr(0, path.rfind('/')) + "/libstuck_plugin.so").c_str(), RTLD_NOW);
  }).detach();
}

// Stops the calling thread in the middle of malloc, where it holds its arena's lock and wants more memory of the
// kernel: the handler of SIGSYS runs there.
void interrupt_in_malloc(void (*handler)(int)) {
  signal(SIGSYS, handler);
  sock_filter rules[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                         BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_brk, 0, 1),
                         BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog filter{std::size(rules), rules};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0) _exit(4);
  for (;;) {
    void* volatile kept = malloc(100'000);
    (void)kept;
  }
}
void only_one_arena() { mallopt(M_ARENA_MAX, 1); }

// The handler waits for a mutex whose holder wants memory.
void arena() {
  only_one_arena();
  std::thread([] {
    name_thread("holder");
    g_mutex1.lock();
    steps++;
    spin_until(steps, 2);
    free(malloc(100'000));
  }).detach();
  spin_until(steps, 1);
  std::thread([] {
    name_thread("interrupted");
    interrupt_in_malloc([](int) {
      steps++;
      g_mutex1.lock();
    });
  }).detach();
}

// The handler wants memory itself.
void arena_self() {
  only_one_arena();
  std::thread([] {
    name_thread("interrupted");
    interrupt_in_malloc([](int) {
      void* volatile more = malloc(100'000);
      (void)more;
    });
  }).detach();
}

struct Mode {
  const char* name;
  void (*enter)();
  bool has_no_memory = false;  // nobody in it gets any, so that another process has to announce it
  int restless = 0;            // threads that do not wait for anybody
};
constexpr Mode modes[] = {{"mutexes", mutexes},
                          {"recursive", recursive},
                          {"guards", guards},
                          {"shared", shared},
                          {"error_checking", error_checking},
                          {"adaptive", adaptive},
                          {"robust", robust},
                          {"inheriting", inheriting},
                          {"mixed", mixed},
                          {"philosophers", philosophers},
                          {"self", self},
                          {"timed", timed},
                          {"readers", readers},
                          {"two_readers", two_readers},
                          {"orphan", orphan},
                          {"gone_writer", gone_writer},
                          {"chain", chain},
                          {"owner_reads", owner_reads},
                          {"owner_sleeps", owner_sleeps, false, 1},
                          {"owner_runs", owner_runs, false, 1},
                          {"join_holding", join_holding},
                          {"stream", stream},
                          {"static_guard", static_guard},
                          {"once", once},
                          {"loader", loader},
                          {"arena", arena, true},
                          {"arena_self", arena_self, true},
                          {"healthy_waits", healthy_waits},
                          {"crowd", crowd}};

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const Mode& mode : modes) {
    if (strcmp(argv[1], mode.name) != 0) continue;
    if (mode.has_no_memory && fork() == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      announce_when_stuck(argv[2], std::to_string(getppid()));
      _exit(0);
    }
    mode.enter();
    if (!mode.has_no_memory) announce_when_stuck(argv[2], "self", mode.restless);
    for (;;) pause();
  }
  return 2;
}
