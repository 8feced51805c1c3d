// A tree of processes made in every way, each of which leaks a known number of handles in a function of its own:
//   fork 3, vfork+exec 4, posix_spawn 5, system 6, popen 7, daemon 8, sharing clone 9 (in the parent's table).
// fork_tree RESULT_FILE: the daemon writes it when it is done.
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

[[noreturn]] void broken(const char* what) {
  std::perror(what);
  std::_Exit(9);
}

int event() {
  int number = eventfd(0, 0);
  if (number < 0) broken("eventfd");
  return number;
}

}  // namespace

extern "C" {
[[gnu::noinline]] void leak_in_parent(int count) {
  while (count-- > 0) event();
}
[[gnu::noinline]] void leak_in_fork(int count) {
  while (count-- > 0) event();
}
[[gnu::noinline]] void leak_in_vfork_exec(int count) {
  while (count-- > 0) event();
}
[[gnu::noinline]] void leak_in_spawn(int count) {
  while (count-- > 0) event();
}
[[gnu::noinline]] void leak_in_system(int count) {
  while (count-- > 0) event();
}
[[gnu::noinline]] void leak_in_popen(int count) {
  while (count-- > 0) event();
}
[[gnu::noinline]] void leak_in_daemon(int count) {
  while (count-- > 0) event();
}
[[gnu::noinline]] void leak_in_sharing_clone(int count) {
  while (count-- > 0) event();
}
}

namespace {

struct Role {
  const char* name;
  void (*leak)(int);
  int count;
};
constexpr Role roles[] = {
    {"vfork_exec", leak_in_vfork_exec, 4},
    {"spawn", leak_in_spawn, 5},
    {"system", leak_in_system, 6},
    {"popen", leak_in_popen, 7},
};

void wait_for(pid_t child, const char* what) {
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || status != 0) broken(what);
}

void by_fork() {
  pid_t child = fork();
  if (child == 0) {
    close(3);  // the inherited one; the parent's stays open
    leak_in_fork(3);
    _exit(0);
  }
  wait_for(child, "fork");
}

void by_vfork(char* self) {
  char role[] = "vfork_exec";
  char* arguments[] = {self, role, nullptr};
  pid_t child = vfork();
  if (child == 0) {
    execv("/proc/self/exe", arguments);
    _exit(8);
  }
  wait_for(child, "vfork");
}

void by_spawn(char* self) {
  char role[] = "spawn";
  char* arguments[] = {self, role, nullptr};
  pid_t child = -1;
  if (posix_spawn(&child, self, nullptr, nullptr, arguments, environ) != 0) broken("posix_spawn");
  wait_for(child, "spawned");
}

void by_system(const std::string& self) {
  if (std::system((self + " system").c_str()) != 0) broken("system");
}

void by_popen(const std::string& self) {
  FILE* output = popen((self + " popen").c_str(), "r");
  char line[64] = "";
  if (output == nullptr || std::fgets(line, sizeof line, output) == nullptr || pclose(output) != 0) broken("popen");
  std::printf("popen said %s", line);
}

int share_body(void*) {
  leak_in_sharing_clone(9);
  return 0;
}

void by_sharing_clone() {
  static char stack[1 << 16];
  wait_for(clone(share_body, stack + sizeof stack, CLONE_FILES | SIGCHLD, nullptr), "clone");
}

// As daemons do: two forks, a session of its own, and everything closed that was inherited.
void by_daemon(const char* result_file) {
  pid_t child = fork();
  if (child == 0) {
    setsid();
    if (fork() != 0) _exit(0);
    syscall(SYS_close_range, 3, ~0u, 0);
    leak_in_daemon(8);
    int file = open(result_file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || write(file, "done\n", 5) != 5) _exit(8);
    close(file);
    _exit(0);
  }
  wait_for(child, "daemon");
  while (access(result_file, F_OK) != 0) usleep(1000);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  for (const Role& role : roles) {
    if (std::strcmp(argv[1], role.name) == 0) {
      role.leak(role.count);
      std::puts(role.name);
      return 0;
    }
  }
  leak_in_parent(2);
  by_fork();
  by_vfork(argv[0]);
  by_spawn(argv[0]);
  by_system(argv[0]);
  by_popen(argv[0]);
  by_sharing_clone();
  std::fflush(stdout);
  by_daemon(argv[1]);
  std::puts("the tree is done");
  return 0;
}
