// Like what other languages make: static, no libc, no unwind tables, but frame pointers. Leaks 12 handles, and
// closes 50.
#include <fcntl.h>
#include <sys/syscall.h>

namespace {

long call(long number, long first = 0, long second = 0, long third = 0) {
  long result;
  asm volatile("syscall" : "=a"(result) : "a"(number), "D"(first), "S"(second), "d"(third) : "rcx", "r11", "memory");
  return result;
}

}  // namespace

extern "C" {
[[gnu::noinline]] void leak_without_libc(int count) {
  while (count-- > 0) call(SYS_eventfd2);
}
[[gnu::noinline]] void close_without_libc(int count) {
  while (count-- > 0) call(SYS_close, call(SYS_openat, AT_FDCWD, reinterpret_cast<long>("/dev/null"), O_RDONLY));
}
[[gnu::noinline]] void work_without_libc() {
  leak_without_libc(12);
  close_without_libc(50);
  asm volatile("");  // no tail calls
}
void begin_without_libc() {
  work_without_libc();
  call(SYS_exit_group, 0);
}
}

asm(R"(
  .globl _start
_start:
  xor %ebp, %ebp
  and $-16, %rsp
  call begin_without_libc
)");
