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

volatile int sink;
__attribute__((noinline, noclone)) int deep(int depth) {
  volatile char some[256];
  some[0] = static_cast<char>(depth);
  return depth < 0 ? 0 : deep(depth + 1) + some[0];
}

void say_signal_stack(const char* when) {
  stack_t now{};
  sigaltstack(nullptr, &now);
  say(when, now.ss_flags);
  say("size", static_cast<long>(now.ss_size));
}

// What it asks for, and what it sets.
void see_signal_stacks() {
  alignas(16) static thread_local char memory[1 << 16];
  say_signal_stack("at first");
  stack_t mine{}, before{};
  mine.ss_sp = memory;
  mine.ss_size = sizeof memory;
  say("set", sigaltstack(&mine, &before));
  say("before", before.ss_flags);
  say_signal_stack("mine");
  mine.ss_flags = SS_DISABLE;
  say("taken back", sigaltstack(&mine, &before));
  say("was mine", before.ss_sp == memory);
  say_signal_stack("at last");
}

int signal_stacks() {
  see_signal_stacks();
  std::thread(see_signal_stacks).join();
  return 0;
}

// As run-times do that tell the end of the stack from other faults.
int own_signal_stack() {
  alignas(16) static char memory[1 << 16];
  stack_t mine{};
  mine.ss_sp = memory;
  mine.ss_size = sizeof memory;
  sigaltstack(&mine, nullptr);
  struct sigaction action {};
  action.sa_flags = SA_ONSTACK;
  action.sa_handler = [](int) {
    char here;
    say("on its stack", &here >= memory && &here < memory + sizeof memory);
    siglongjmp(back, 1);
  };
  sigaction(SIGSEGV, &action, nullptr);
  if (sigsetjmp(back, 1) == 0) sink = deep(0);
  say("recovered", 1);
  return 0;
}

// It asks for a stack that nobody has made; threads that begin afterwards have none.
int handler_on_stack() {
  struct sigaction action {};
  action.sa_flags = SA_ONSTACK;
  action.sa_handler = [](int) { siglongjmp(back, 1); };
  sigaction(SIGSEGV, &action, nullptr);
  if (sigsetjmp(back, 1) == 0) crash_here();
  std::thread([] {
    if (sigsetjmp(back, 1) == 0) crash_here();
    say_signal_stack("in a thread");
    say("recovered", 2);
  }).join();
  return 0;
}

long mappings() {
  long lines = 0;
  std::FILE* maps = std::fopen("/proc/self/maps", "r");
  for (int byte = std::fgetc(maps); byte != EOF; byte = std::fgetc(maps)) lines += byte == '\n';
  std::fclose(maps);
  return lines;
}

// Nothing is left of threads that have ended.
int many_threads() {
  auto round = [] {
    for (int i = 0; i < 100; ++i) std::thread([] {}).join();
    return mappings();
  };
  round();
  long before = round();
  say("more mappings", round() - before);
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
  if (std::strcmp(way, "deep") == 0) sink = deep(0);
  if (std::strcmp(way, "deep_thread") == 0) std::thread([] { sink = deep(0); }).join();
  if (std::strcmp(way, "signal_stacks") == 0) return signal_stacks();
  if (std::strcmp(way, "own_signal_stack") == 0) return own_signal_stack();
  if (std::strcmp(way, "handler_on_stack") == 0) return handler_on_stack();
  if (std::strcmp(way, "many_threads") == 0) return many_threads();
  return 2;
}
