// System calls without libc: the agent must not touch errno, cancellation points, or its own patches.
// All return the kernel's value: negative errno on failure.
#pragma once

#include <asm/unistd.h>
#include <linux/time_types.h>
#include <stddef.h>
#include <stdint.h>

namespace culprit::agent {

inline int64_t raw_syscall(int64_t number, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0, uint64_t d = 0,
                           uint64_t e = 0, uint64_t f = 0) {
  int64_t result;
  register uint64_t r10 asm("r10") = d;
  register uint64_t r8 asm("r8") = e;
  register uint64_t r9 asm("r9") = f;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}

inline uint64_t address_of(const volatile void* pointer) { return reinterpret_cast<uint64_t>(pointer); }

inline int64_t futex_wake(uint32_t* word) {
  constexpr uint64_t wake = 1, everyone = 0x7fffffff;
  return raw_syscall(__NR_futex, address_of(word), wake, everyone);
}

// Returns at once if *word is not `expected` any more.
inline int64_t futex_wait(uint32_t* word, uint32_t expected, uint64_t nanoseconds) {
  __kernel_timespec limit{static_cast<int64_t>(nanoseconds / 1'000'000'000),
                          static_cast<long long>(nanoseconds % 1'000'000'000)};
  constexpr uint64_t wait = 0;
  return raw_syscall(__NR_futex, address_of(word), wait, expected, address_of(&limit));
}

inline void sleep_ns(uint64_t nanoseconds) {
  __kernel_timespec time{0, static_cast<long long>(nanoseconds)};
  raw_syscall(__NR_nanosleep, address_of(&time), 0);
}

inline uint64_t monotonic_ns() {
  __kernel_timespec now{};
  raw_syscall(__NR_clock_gettime, 1 /* CLOCK_MONOTONIC */, address_of(&now));
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

// Whether the kernel could read `size` bytes there (at most 64): before a call, arguments of the program may point
// anywhere.
inline bool readable(uint64_t address, uint64_t size) {
  struct Piece {
    uint64_t start, size;
  };
  unsigned char copy[64];
  Piece local{address_of(copy), size}, remote{address, size};
  int64_t pid = raw_syscall(__NR_getpid);
  return raw_syscall(__NR_process_vm_readv, static_cast<uint64_t>(pid), address_of(&local), 1, address_of(&remote), 1,
                     0) == static_cast<int64_t>(size);
}

// After everything before it: rdtsc alone may run ahead of a load that still waits for another CPU, and a close would
// seem to come before the creation it answers.
// 0 where the kernel forbids the thread to look (see lose_clock).
extern __thread bool clock_is_lost __attribute__((tls_model("initial-exec")));
inline uint64_t tsc() {
  if (__builtin_expect(clock_is_lost, 0)) return 0;
  asm volatile("lfence" ::: "memory");
  return __builtin_ia32_rdtsc();
}

}  // namespace culprit::agent
