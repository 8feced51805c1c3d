// A process to leave a core: threads stand in different places, some deep, one runs. Prints "ready" when all are where
// they should be. Then waits to be looked at, or dies as its argument says.
//   core_victim wait|abort|fault|queue
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

std::mutex held, guard;
std::condition_variable never;
sem_t empty;
int silent[2];
std::atomic<long> spins = 0;

void wait_for_lock() { std::lock_guard lock(held); }
void wait_for_condition() {
  std::unique_lock lock(guard);
  never.wait(lock, [] { return false; });
}
void wait_for_semaphore() { sem_wait(&empty); }
void read_from_pipe() {
  char byte = 0;
  if (read(silent[0], &byte, 1) == 1) std::abort();
}
void wait_for_events() {
  epoll_event event{};
  epoll_wait(epoll_create1(EPOLL_CLOEXEC), &event, 1, -1);
}
void sleep_long() { sleep(1'000'000); }
void run() {
  for (;;) ++spins;
}

__attribute__((noinline)) int go_deeper(int depth, const std::function<void()>& then) {
  volatile char some_stack[100];
  some_stack[0] = static_cast<char>(depth);
  if (depth == 0) {
    then();
    return some_stack[0];
  }
  return go_deeper(depth - 1, then) + some_stack[0];
}

struct Place {
  const char* name;
  void (*stand)();
  int depth;
};
constexpr Place places[] = {
    {"locker", wait_for_lock, 3},  {"conditional", wait_for_condition, 0}, {"semaphore", wait_for_semaphore, 20},
    {"reader", read_from_pipe, 7}, {"poller", wait_for_events, 1},         {"sleeper", sleep_long, 200},
    {"runner", run, 12},
};

// Whether a thread of ours is blocked, by the kernel's word.
bool is_blocked(int tid) {
  std::string path = "/proc/self/task/" + std::to_string(tid) + "/stat";
  char text[512] = {};
  FILE* file = std::fopen(path.c_str(), "r");
  size_t size = file != nullptr ? std::fread(text, 1, sizeof text - 1, file) : 0;
  if (file != nullptr) std::fclose(file);
  const char* end = size > 0 ? std::strrchr(text, ')') : nullptr;
  return end != nullptr && end[2] == 'S';
}

__attribute__((noinline)) void die(const std::string& how) {
  if (how == "abort") std::abort();
  if (how == "fault") *reinterpret_cast<volatile int*>(0x1234) = 1;
  sigval value{};
  if (how == "queue") sigqueue(getpid(), SIGBUS, value);
  for (;;) pause();
}

}  // namespace

int main(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
  std::vector<std::atomic<int>> tids(std::size(places));
  held.lock();
  sem_init(&empty, 0, 0);
  if (pipe(silent) != 0) return 1;
  for (size_t i = 0; i < std::size(places); ++i)
    std::thread([&tids, i] {
      pthread_setname_np(pthread_self(), places[i].name);
      tids[i] = gettid();
      go_deeper(places[i].depth, places[i].stand);
    }).detach();
  for (size_t i = 0; i < std::size(places); ++i)
    while (places[i].stand == run ? spins == 0 : tids[i] == 0 || !is_blocked(tids[i])) usleep(1000);
  std::puts("ready");
  std::fflush(stdout);
  die(argc > 1 ? argv[1] : "wait");
}
