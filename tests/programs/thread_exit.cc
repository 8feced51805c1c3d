// Threads that open and end in every way: by returning, by pthread_exit, cancelled while blocked in accept and in open.
// Forced unwinding goes through system calls of libc and must run destructors and cleanup handlers.
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

std::atomic<int> destructors = 0, cleanups = 0, blocked = 0;

struct CountsDestruction {
  ~CountsDestruction() { destructors++; }
};

void clean_up(void*) { cleanups++; }

std::string fifo_path;
int listener = -1;

}  // namespace

extern "C" {
[[gnu::noinline]] int leak_of_thread() { return eventfd(0, 0) < 0 ? -1 : 0; }
[[gnu::noinline]] int leak_of_thread_local_destructor() { return eventfd(0, 0) < 0 ? -1 : 0; }
[[gnu::noinline]] int blocks_in_accept() {
  int number = accept(listener, nullptr, nullptr);
  return number < 0 ? -1 : 0;
}
[[gnu::noinline]] int blocks_in_open() {
  int number = open(fifo_path.c_str(), O_RDONLY);
  return number < 0 ? -1 : 0;
}
}

namespace {

struct OpensWhenThreadEnds {
  bool used = false;
  ~OpensWhenThreadEnds() { leak_of_thread_local_destructor(); }
};
thread_local OpensWhenThreadEnds opens_when_thread_ends;

void* returns(void*) {
  opens_when_thread_ends.used = true;
  leak_of_thread();
  return nullptr;
}

void* exits(void*) {
  CountsDestruction counts;
  leak_of_thread();
  pthread_exit(nullptr);
}

template <int (*Blocks)()>
void* is_cancelled(void*) {
  CountsDestruction counts;
  pthread_cleanup_push(clean_up, nullptr);
  leak_of_thread();
  blocked++;
  Blocks();
  pthread_cleanup_pop(0);
  return nullptr;
}

void* join(pthread_t thread) {
  void* result = nullptr;
  pthread_join(thread, &result);
  return result;
}

bool cancelled_while(void* (*body)(void*)) {
  pthread_t thread;
  int before = blocked;
  if (pthread_create(&thread, nullptr, body, nullptr) != 0) return false;
  while (blocked == before) usleep(100);
  usleep(20000);  // most likely inside the call by now; cancelled before it, the result is the same
  pthread_cancel(thread);
  return join(thread) == PTHREAD_CANCELED;
}

}  // namespace

int main() {
  char directory[] = "/tmp/thread_exit_XXXXXX";
  if (mkdtemp(directory) == nullptr) return 1;
  fifo_path = std::string(directory) + "/fifo";
  if (mkfifo(fifo_path.c_str(), 0600) != 0) return 1;
  listener = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(sa_family_t)) != 0 || listen(listener, 1) != 0)
    return 1;

  for (int round = 0; round < 40; round++) {
    pthread_t thread;
    if (pthread_create(&thread, nullptr, round % 2 == 0 ? returns : exits, nullptr) != 0) return 1;
    join(thread);
  }
  int cancelled = 0;
  for (int round = 0; round < 5; round++) {
    cancelled += cancelled_while(is_cancelled<blocks_in_accept>);
    cancelled += cancelled_while(is_cancelled<blocks_in_open>);
  }
  std::printf("cancelled %d, cleaned up %d, destroyed %d\n", cancelled, cleanups.load(), destructors.load());
  unlink(fifo_path.c_str());
  rmdir(directory);
  return 0;
}
