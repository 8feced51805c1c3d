// Makes a system call that touches no handle again and again: what it costs programs that are not recorded that others
// are. Prints nanoseconds per call.
//   null_call_loop CALLS
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
  const long calls = argc > 1 ? std::atol(argv[1]) : 1'000'000;
  if (calls <= 0) return 2;
  const auto begin = std::chrono::steady_clock::now();
  for (long i = 0; i < calls; ++i) syscall(SYS_getppid);
  const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - begin;
  std::printf("%.1f\n", taken.count() / static_cast<double>(calls));
}
