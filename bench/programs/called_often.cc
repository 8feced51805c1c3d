// Calls a function so and so often once a line comes, and prints how many nanoseconds that took. Ends with its input.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>

extern "C" __attribute__((noinline)) uint64_t called_often(uint64_t n) {
  asm volatile("" : "+r"(n));
  return n + 1;
}

int main(int, char** arguments) {
  const uint64_t times = strtoull(arguments[1], nullptr, 10);
  puts("ready");
  fflush(stdout);
  if (getchar() == EOF) return 1;
  timespec begin{}, end{};
  uint64_t sum = 0;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  for (uint64_t n = 0; n < times; n++) sum += called_often(n);
  clock_gettime(CLOCK_MONOTONIC, &end);
  printf("%.0f\n",
         static_cast<double>(end.tv_sec - begin.tv_sec) * 1e9 + static_cast<double>(end.tv_nsec - begin.tv_nsec));
  fflush(stdout);
  while (getchar() != EOF) continue;
  return sum == 0;
}
