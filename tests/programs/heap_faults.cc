// Is in the middle of malloc, with the lock of an arena, until SIGUSR1 comes; then it goes on, and ends with 5 if all
// is well. heap_faults held FILE: FILE is there when it is so. heap_faults forked FILE: and it has forked, as those do
// who make the system call themselves: in the child, whose number is in FILE, nobody is left who could let go of the
// lock. heap_faults steps FILE: uses one thread, and malloc in many ways, over and over.
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace {

[[gnu::noinline]] void* make(size_t size) {
  void* block = malloc(size);
  asm volatile("" : "+r"(block) : : "memory");
  return block;
}

// Of this thread: whoever reads the notices decides about its calls. -1: the kernel has no such thing.
int hold_calls_of(unsigned number) {
  sock_filter filter[] = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
                          {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, number},
                          {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_USER_NOTIF},
                          {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
  sock_fprog program{4, filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return static_cast<int>(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}

seccomp_notif next_notice(int notices) {
  seccomp_notif notice{};
  while (ioctl(notices, SECCOMP_IOCTL_NOTIF_RECV, &notice) != 0) notice = {};
  return notice;
}

// False: the call was broken off meanwhile, as a debugger does, and is made again.
bool let_go_on(int notices, const seccomp_notif& notice) {
  seccomp_notif_resp answer{};
  answer.id = notice.id;
  answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  return ioctl(notices, SECCOMP_IOCTL_NOTIF_SEND, &answer) == 0;
}

void announce(const char* path, pid_t child) {
  char partial[4096], text[64];
  snprintf(partial, sizeof partial, "%s.partial", path);
  const int file = open(partial, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  write(file, text, static_cast<size_t>(snprintf(text, sizeof text, "child %d\n", child)));
  close(file);
  rename(partial, path);
}

std::atomic<int> notices{0};
std::atomic<bool> has_ended{false};

// An arena of its own, which mprotect makes larger while malloc holds its lock.
void fill_arena() {
  make(100);
  const int listener = hold_calls_of(SYS_mprotect);
  notices = listener;
  notices.notify_all();
  if (listener < 0) return;
  for (int i = 0; i < 2000; ++i) memset(make(1000), 1, 1000);
  has_ended = true;
}

int held_in_malloc(const char* path, bool forks) {
  sigset_t go_on;
  sigemptyset(&go_on);
  sigaddset(&go_on, SIGUSR1);
  sigprocmask(SIG_BLOCK, &go_on, nullptr);
  std::thread worker(fill_arena);
  notices.wait(0);
  if (notices < 0) return 77;
  seccomp_notif notice = next_notice(notices);
  const pid_t child = forks ? static_cast<pid_t>(syscall(SYS_fork)) : 1;
  if (child == 0)
    for (;;) pause();
  announce(path, child);
  int signal = 0;
  sigwait(&go_on, &signal);
  // The worker may be in a call that was made again, or already behind the last one.
  std::thread([] {
    for (;;) let_go_on(notices, next_notice(notices));
  }).detach();
  let_go_on(notices, notice);
  worker.join();
  return has_ended ? 5 : 1;
}

// Blocks of all kinds: kept by threads, in fast bins, split and joined again, and with mappings of their own.
[[noreturn]] void in_many_ways(const char* path) {
  void* blocks[64] = {};
  announce(path, 0);
  for (uint64_t state = 7;;) {
    state = state * 6364136223846793005 + 1442695040888963407;
    void*& block = blocks[(state >> 33) % 64];
    free(block);
    block = make(1 + (state >> 40) % ((state >> 60) == 0 ? 200000 : 3000));
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  if (strcmp(arguments[1], "steps") == 0) in_many_ways(arguments[2]);
  return held_in_malloc(arguments[2], strcmp(arguments[1], "forked") == 0);
}
