// To have breakpoints set in it: does the same things again and again.
//   breakpoint_victim READY                  allocates, most often little
//   breakpoint_victim READY load LIBRARY GO  the same, and from when the file GO is there loads, calls and unloads
//   LIBRARY breakpoint_victim READY cell             the same, from where a filter kills it for any system call but a
//   few
// Says that it is ready by making the file READY.
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

extern "C" {

void* volatile g_kept;

[[gnu::noinline]] void keep(size_t size) {
  g_kept = malloc(size);
  free(g_kept);
}

[[gnu::noinline]] void place_small_order() {
  keep(100);
  asm volatile("" ::: "memory");
}

[[gnu::noinline]] void place_large_order() {
  keep(0xa45c);
  asm volatile("" ::: "memory");
}

[[gnu::noinline]] bool use_library(const char* path) {
  void* library = dlopen(path, RTLD_NOW);
  if (library == nullptr) return false;
  auto* function = reinterpret_cast<int (*)()>(dlsym(library, "run_plugin"));
  int event = function != nullptr ? function() : -1;
  return event == 0 && dlclose(library) == 0;
}
}

namespace {

bool lock_up() {
  constexpr unsigned allowed[] = {SYS_read, SYS_write, SYS_clock_nanosleep, SYS_exit_group, SYS_rt_sigreturn, SYS_brk};
  constexpr size_t most = 2 + 2 * sizeof(allowed) / sizeof(allowed[0]);
  sock_filter filter[most];
  unsigned short used = 0;
  filter[used++] = {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)};
  for (unsigned number : allowed) {
    filter[used++] = {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, number};
    filter[used++] = {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
  }
  filter[used++] = {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS};
  sock_fprog program{used, filter};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) return 2;
  bool loads = count == 5 && strcmp(arguments[2], "load") == 0;
  bool has_gone = !loads;
  close(open(arguments[1], O_CREAT | O_WRONLY, 0600));
  place_large_order();  // malloc begins with more system calls than it needs later
  if (count == 3 && strcmp(arguments[2], "cell") == 0 && !lock_up()) return 3;
  for (unsigned round = 0;; round++) {
    place_small_order();
    if (round % 8 == 7) place_large_order();
    if (!has_gone) has_gone = access(arguments[4], F_OK) == 0;
    if (loads && has_gone && !use_library(arguments[3])) return 4;
    usleep(1000);
  }
}
