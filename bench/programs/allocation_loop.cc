// malloc+free called 16 functions deep, by one thread or several at once; prints nanoseconds per pair (of all threads
// together: the time the whole took, divided by the pairs of one thread).
//
//   allocation_loop PAIRS [THREADS [PATHS]]    PATHS: how many call paths take turns (1)
#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

void* volatile sink;
volatile int result;

template <int depth>
__attribute__((noinline)) int call(unsigned path, int value) {
  // Two call sites on each level: 2^14 paths.
  int result = (path & 1) != 0 ? call<depth - 1>(path >> 1, value + 1) : call<depth - 1>(path >> 1, value + 2);
  return result + 1;  // no tail call
}

template <>
__attribute__((noinline)) int call<0>(unsigned, int value) {
  void* block = malloc(48);
  sink = block;
  free(block);
  return value;
}

int work(int pairs, unsigned paths) {
  int sum = 0;
  for (int i = 0; i < pairs; ++i) sum += call<13>(static_cast<unsigned>(i) % paths, i);
  return sum;
}

double seconds_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

}  // namespace

int main(int count, char** words) {
  const int pairs = count > 1 ? atoi(words[1]) : 1'000'000;
  const int threads = count > 2 ? atoi(words[2]) : 1;
  const unsigned paths = count > 3 ? static_cast<unsigned>(atoi(words[3])) : 1;
  work(1000, paths);
  const double begin = seconds_now();
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back([=] { result = work(pairs, paths); });
  result = work(pairs, paths);
  for (std::thread& other : others) other.join();
  std::printf("%.2f\n", (seconds_now() - begin) * 1e9 / pairs);
}
