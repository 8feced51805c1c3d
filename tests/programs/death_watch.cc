// What a program may do about signals that end it; each way prints what it sees of them.
//   death_watch WAY
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

extern char** environ;

namespace {

__attribute__((noinline, noclone)) void crash_here() {
  volatile int* nowhere = nullptr;
  asm volatile("" : "+r"(nowhere));
  *nowhere = 1;
}

void say(const char* what, long number) {
  std::printf("%s %ld\n", what, number);
  std::fflush(stdout);
}

int status_of(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
  }
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

sigjmp_buf back;

int recovers() {
  struct sigaction action {};
  action.sa_handler = [](int) { siglongjmp(back, 1); };
  sigaction(SIGSEGV, &action, nullptr);
  if (sigsetjmp(back, 1) == 0) crash_here();
  say("recovered", 1);
  return 0;
}

int sees_defaults() {
  for (int signal : {SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS, SIGTERM}) {
    struct sigaction first {
    }, ours{}, second{}, third{};
    sigaction(signal, nullptr, &first);
    ours.sa_handler = [](int) {};
    ours.sa_flags = SA_RESTART;
    sigaction(signal, &ours, &second);
    ours.sa_handler = SIG_DFL;
    sigaction(signal, &ours, nullptr);
    sigaction(signal, nullptr, &third);
    say("defaults", (first.sa_handler == SIG_DFL) + (second.sa_handler == SIG_DFL) + (third.sa_handler == SIG_DFL));
    say("flags", third.sa_flags);
  }
  say("old", std::signal(SIGSEGV, SIG_DFL) == SIG_DFL);
  return 0;
}

// As crash reporters do.
int hands_on() {
  struct sigaction action {};
  action.sa_handler = [](int signal) {
    std::signal(signal, SIG_DFL);
    raise(signal);
  };
  sigaction(SIGSEGV, &action, nullptr);
  crash_here();
  return 0;
}

int child() {
  pid_t pid = fork();
  if (pid == 0) crash_here();
  say("child", status_of(pid));
  return 0;
}

// A child on borrowed memory: it is not the parent who dies.
int vfork_child() {
  pid_t pid = vfork();
  if (pid == 0) {
    raise(SIGABRT);
    _exit(1);
  }
  say("vfork child", status_of(pid));
  return 0;
}

int spawned(const char* self) {
  pid_t pid = 0;
  char* arguments[] = {const_cast<char*>(self), const_cast<char*>("plain"), nullptr};
  posix_spawn(&pid, self, nullptr, nullptr, arguments, environ);
  say("spawned", status_of(pid));
  return 0;
}

int two_threads() {
  pthread_barrier_t both;
  pthread_barrier_init(&both, nullptr, 2);
  auto die = [&] {
    pthread_barrier_wait(&both);
    crash_here();
  };
  std::thread other(die);
  die();
  other.join();
  return 0;
}

// The calls of a handler would end it by SIGSYS.
int sandboxed() {
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigaction, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_tgsigqueueinfo, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
  };
  sock_fprog program{sizeof filter / sizeof *filter, filter};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
  crash_here();
  return 0;
}

int blocked() {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, nullptr);
  crash_here();
  return 0;
}

int leader() {
  pid_t pid = fork();
  if (pid == 0) {
    setsid();
    abort();
  }
  say("leader", status_of(pid));
  return 0;
}

}  // namespace

int main(int count, char** words) {
  const char* way = count > 1 ? words[1] : "";
  if (std::strcmp(way, "plain") == 0) crash_here();
  if (std::strcmp(way, "recovers") == 0) return recovers();
  if (std::strcmp(way, "sees_defaults") == 0) return sees_defaults();
  if (std::strcmp(way, "hands_on") == 0) return hands_on();
  if (std::strcmp(way, "child") == 0) return child();
  if (std::strcmp(way, "vfork_child") == 0) return vfork_child();
  if (std::strcmp(way, "spawned") == 0) return spawned(words[0]);
  if (std::strcmp(way, "two_threads") == 0) return two_threads();
  if (std::strcmp(way, "sandboxed") == 0) return sandboxed();
  if (std::strcmp(way, "blocked") == 0) return blocked();
  if (std::strcmp(way, "leader") == 0) return leader();
  if (std::strcmp(way, "abort") == 0) abort();
  return 2;
}
