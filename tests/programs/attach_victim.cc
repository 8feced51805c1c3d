// A process to be attached to, which knows whether anything went wrong in it.
//   attach_victim sleep            blocks; says nothing
//   attach_victim threads N        N blocked threads
//   attach_victim waits            one thread in each kind of waiting; a line on stdin lets them all go on
//   attach_victim work T           T threads that allocate, open and close until a line comes
//   attach_victim open N K         after each line: opens N files and closes all but K of them
//   attach_victim fork             after a line: a child that leaks a handle, and one that executes env
//   attach_victim accept           waits for a connection to a socket whose name it prints
//   attach_victim handler          a signal handler that lasts until a line comes
//   attach_victim vfork            a vfork child that lasts until a line comes
//   attach_victim signals          counts the real-time signals it gets; after a line, says how many
//   attach_victim load PLUGIN      a thread loads a library whose beginning lasts until a line comes
//   attach_victim seccomp
// Prints "ready", and at the end "fine", or what was wrong.
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

std::atomic<const char*> wrong = nullptr;

void expect(bool condition, const char* what) {
  if (!condition) wrong = what;
}

void say(const char* word) {
  std::string line = std::string(word) + "\n";
  if (write(1, line.data(), line.size()) < 0) _exit(3);
}

bool wait_for_line() {
  char byte = 0;
  while (read(0, &byte, 1) == 1)
    if (byte == '\n') return true;
  return false;
}

int finish() {
  say(wrong == nullptr ? "fine" : wrong.load());
  return wrong == nullptr ? 0 : 1;
}

int sleep_for_ever() {
  say("ready");
  for (;;) {
    timespec time{1000, 0};
    nanosleep(&time, nullptr);
  }
}

int blocked_threads(int count) {
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
  static std::atomic<int> waiting = 0;
  static bool go = false;
  std::vector<std::thread> threads;
  for (int i = 0; i < count; i++) {
    threads.emplace_back([] {
      pthread_mutex_lock(&mutex);
      waiting++;
      while (!go) pthread_cond_wait(&condition, &mutex);
      pthread_mutex_unlock(&mutex);
    });
  }
  while (waiting < count) usleep(1000);
  say("ready");
  wait_for_line();
  pthread_mutex_lock(&mutex);
  go = true;
  pthread_cond_broadcast(&condition);
  pthread_mutex_unlock(&mutex);
  for (std::thread& thread : threads) thread.join();
  return finish();
}

sockaddr_un abstract_name(socklen_t& size) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  int length = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "attach-victim-%d", getpid());
  size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path)) + 1 + static_cast<socklen_t>(length);
  return address;
}

int listener() {
  int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  socklen_t size = 0;
  sockaddr_un address = abstract_name(size);
  expect(bind(server, reinterpret_cast<sockaddr*>(&address), size) == 0 && listen(server, 8) == 0, "no server");
  return server;
}

int connected() {
  int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  socklen_t size = 0;
  sockaddr_un address = abstract_name(size);
  expect(connect(client, reinterpret_cast<sockaddr*>(&address), size) == 0, "no connection");
  return client;
}

// Each must come back with what it waited for, and never with EINTR.
int waits() {
  int ends[2], server = listener(), watched = eventfd(0, EFD_CLOEXEC), epoll = epoll_create1(EPOLL_CLOEXEC);
  int other_watched = eventfd(0, EFD_CLOEXEC);
  expect(pipe2(ends, O_CLOEXEC) == 0, "no pipe");
  epoll_event event{EPOLLIN, {}};
  epoll_ctl(epoll, EPOLL_CTL_ADD, watched, &event);
  static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&held);
  sigset_t user;
  sigemptyset(&user);
  sigaddset(&user, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &user, nullptr);
  std::vector<std::thread> threads;
  threads.emplace_back([&] {
    char byte = 0;
    expect(read(ends[0], &byte, 1) == 1, "read was disturbed");
  });
  threads.emplace_back([&] { expect(accept4(server, nullptr, nullptr, SOCK_CLOEXEC) >= 0, "accept was disturbed"); });
  threads.emplace_back([&] {
    epoll_event got{};
    expect(epoll_wait(epoll, &got, 1, -1) == 1, "epoll_wait was disturbed");
  });
  threads.emplace_back([&] {
    pollfd entry{other_watched, POLLIN, 0};
    expect(poll(&entry, 1, 100'000) == 1, "poll was disturbed");
  });
  threads.emplace_back([&] {
    expect(pthread_mutex_lock(&held) == 0, "futex was disturbed");
    pthread_mutex_unlock(&held);
  });
  threads.emplace_back([&] { expect(sigwaitinfo(&user, nullptr) == SIGUSR1, "sigwaitinfo was disturbed"); });
  threads.emplace_back([] {
    timespec time{2, 0}, left{};
    expect(nanosleep(&time, &left) == 0, "nanosleep was disturbed");
  });
  say("ready");
  wait_for_line();
  uint64_t one = 1;
  expect(write(ends[1], "x", 1) == 1, "no writing");
  connected();
  expect(write(watched, &one, 8) == 8 && write(other_watched, &one, 8) == 8, "no eventfd");
  pthread_mutex_unlock(&held);
  kill(getpid(), SIGUSR1);
  for (std::thread& thread : threads) thread.join();
  return finish();
}

[[gnu::noinline]] int open_one() { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

// Allocates and opens as fast as it can, and counts what it does in two ways.
void work_hard(const std::atomic<bool>& stop, std::atomic<uint64_t>& total) {
  uint64_t sum = 0, rounds = 0;
  std::vector<char*> kept;
  while (!stop) {
    int file = open_one();
    if (file < 0) {
      expect(false, "open failed");
      break;
    }
    size_t size = 16 + rounds * 37 % 4000;
    char* block = static_cast<char*>(malloc(size));
    memset(block, static_cast<int>(rounds & 0x7f), size);
    kept.push_back(block);
    expect(block[size - 1] == static_cast<char>(rounds & 0x7f), "memory changed");
    if (kept.size() > 100) {
      for (char* old : kept) free(old);
      kept.clear();
    }
    if (close(file) != 0) expect(false, "close failed");
    sum += 3;
    rounds++;
  }
  for (char* old : kept) free(old);
  expect(sum == rounds * 3, "the sum is wrong");
  total += rounds;
}

int work(int count) {
  const int lowest = open_one();
  close(lowest);
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> total = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < count; i++) threads.emplace_back([&] { work_hard(stop, total); });
  say("ready");
  wait_for_line();
  stop = true;
  for (std::thread& thread : threads) thread.join();
  expect(open_one() == lowest, "a handle was left open");
  return finish();
}

[[gnu::noinline]] int leak_one() { return open_one(); }
[[gnu::noinline]] int borrow_one() { return open_one(); }

int open_some(int count, int leaked) {
  say("ready");
  while (wait_for_line()) {
    for (int i = 0; i < count; i++) {
      int file = i < leaked ? leak_one() : borrow_one();
      expect(file >= 0, "open failed");
      if (i >= leaked) close(file);
    }
    say("done");
  }
  return finish();
}

int fork_some() {
  say("ready");
  wait_for_line();
  pid_t child = fork();
  if (child == 0) {
    leak_one();
    say("child");
    wait_for_line();
    _exit(0);
  }
  int status = 0;
  expect(waitpid(child, &status, 0) == child && status == 0, "the child was hurt");
  child = fork();
  if (child == 0) {
    execl("/usr/bin/env", "env", nullptr);
    _exit(9);
  }
  expect(waitpid(child, &status, 0) == child && status == 0, "the program was hurt");
  return finish();
}

int accept_one() {
  int server = listener();
  std::thread waiting([&] { expect(accept(server, nullptr, nullptr) >= 0, "accept was disturbed"); });
  say("ready");
  while (wait_for_line()) {
    connected();
    waiting.join();
    say("done");
    waiting = std::thread([&] { expect(accept(server, nullptr, nullptr) >= 0, "accept was disturbed"); });
  }
  connected();
  waiting.join();
  return finish();
}

void long_handler(int) {
  say("handling");
  wait_for_line();
}

// The thread's open is interrupted by the handler while it waits for a writer.
int handle_signal() {
  std::string fifo = "/tmp/attach_victim_" + std::to_string(getpid());
  expect(mkfifo(fifo.c_str(), 0600) == 0, "no fifo");
  struct sigaction action {};
  action.sa_handler = long_handler;
  action.sa_flags = SA_RESTART;
  sigaction(SIGUSR2, &action, nullptr);
  say("ready");
  wait_for_line();
  std::thread reader([&] { expect(open(fifo.c_str(), O_RDONLY | O_CLOEXEC) >= 0, "open was disturbed"); });
  usleep(20'000);
  pthread_kill(reader.native_handle(), SIGUSR2);
  usleep(20'000);
  expect(open(fifo.c_str(), O_WRONLY | O_CLOEXEC) >= 0, "no writer");
  reader.join();
  unlink(fifo.c_str());
  return finish();
}

int vfork_child() {
  std::thread idle([] { pause(); });
  idle.detach();
  say("ready");
  pid_t child = vfork();
  if (child == 0) {
    char byte = 0;
    while (read(0, &byte, 1) == 1 && byte != '\n') {
    }
    _exit(7);
  }
  int status = 0;
  expect(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7, "the vfork child was hurt");
  wait_for_line();
  return finish();
}

std::atomic<uint64_t> signals_seen = 0;

int count_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { signals_seen++; };
  action.sa_flags = SA_RESTART;
  sigaction(SIGRTMIN, &action, nullptr);
  std::thread other([] {
    for (;;) pause();
  });
  other.detach();
  say("ready");
  wait_for_line();
  say(std::to_string(signals_seen).c_str());
  return finish();
}

int load(const char* plugin) {
  std::thread loading([&] { expect(dlopen(plugin, RTLD_NOW) != nullptr, "the plugin is gone"); });
  loading.join();
  return finish();
}

int confined() {
  sock_filter allow[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
  sock_fprog program{1, allow};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  expect(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "no filter");
  return sleep_for_ever();
}

}  // namespace

int main(int argc, char** argv) {
  std::string mode = argc > 1 ? argv[1] : "";
  int number = argc > 2 ? atoi(argv[2]) : 0;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (mode == "sleep") return sleep_for_ever();
  if (mode == "threads") return blocked_threads(number);
  if (mode == "waits") return waits();
  if (mode == "work") return work(number);
  if (mode == "open" && argc > 3) return open_some(number, atoi(argv[3]));
  if (mode == "fork") return fork_some();
  if (mode == "accept") return accept_one();
  if (mode == "handler") return handle_signal();
  if (mode == "vfork") return vfork_child();
  if (mode == "signals") return count_signals();
  if (mode == "load" && argc > 2) return load(argv[2]);
  if (mode == "seccomp") return confined();
  return 2;
}
