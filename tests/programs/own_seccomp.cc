// Locks itself up as sandboxed services do: from then on any system call outside a short list kills it.
//   own_seccomp plain | no_futex_no_mmap
//   own_seccomp strict               seccomp's first mode, in which the processor's clock is forbidden, too
//   own_seccomp no_clock             the clock alone, for a thread and those it makes
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

namespace {

bool lock_up(const std::vector<unsigned>& allowed) {
  std::vector<sock_filter> filter{{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)}};
  for (unsigned number : allowed) {
    filter.push_back({BPF_JMP | BPF_JEQ | BPF_K, 0, 1, number});
    filter.push_back({BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW});
  }
  filter.push_back({BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS});
  sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

}  // namespace

[[gnu::noinline]] int leak_in_cell() {
  int event = eventfd(0, 0);
  return event < 0 ? -1 : 0;
}

[[gnu::noinline]] int close_in_cell() {
  int file = open("/dev/null", O_RDONLY);
  return file < 0 ? -1 : close(file);
}

// Any other system call than read, write and exit is SIGKILL: as that of a return from main.
int strict() {
  leak_in_cell();
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) return 1;
  void* volatile block = std::malloc(24);
  std::free(block);
  return 6;
}

int without_clock() {
  leak_in_cell();
  std::thread([] {
    prctl(PR_SET_TSC, PR_TSC_SIGSEGV);
    leak_in_cell();
    std::thread([] { std::free(std::malloc(24)), leak_in_cell(); }).join();
    if (fork() == 0) _exit(close_in_cell());
  }).join();
  leak_in_cell();
  return 6;
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  if (std::strcmp(argv[1], "strict") == 0) return strict();
  if (std::strcmp(argv[1], "no_clock") == 0) return without_clock();
  std::vector<unsigned> allowed{SYS_read,     SYS_write,      SYS_openat, SYS_close,
                                SYS_eventfd2, SYS_exit_group, SYS_exit,   SYS_rt_sigreturn};
  if (std::strcmp(argv[1], "plain") == 0) {
    allowed.insert(allowed.end(), {SYS_futex, SYS_mmap, SYS_munmap, SYS_mprotect, SYS_brk, SYS_newfstatat, SYS_getpid,
                                   SYS_gettid, SYS_clock_gettime, SYS_madvise});
  }
  leak_in_cell();
  if (!lock_up(allowed)) return 1;
  for (int i = 0; i < 50; i++) {
    if (leak_in_cell() != 0 || close_in_cell() != 0) return 3;
  }
  constexpr char text[] = "lived in the cell\n";
  return write(1, text, sizeof text - 1) == sizeof text - 1 ? 6 : 4;
}
