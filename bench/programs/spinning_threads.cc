// A process to be looked at: N threads that never stand still, until standard input ends. Prints "ready" when all run.
//   spinning_threads N
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

std::atomic<int> running = 0;
std::atomic<bool> ends = false;

[[gnu::noinline]] int spin(int depth) {
  if (depth > 0) return spin(depth - 1) + 1;
  running++;
  while (!ends) {
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 200;
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back([] { spin(15); });
  while (running < count) usleep(1000);
  std::puts("ready");
  std::fflush(stdout);
  char byte = 0;
  while (read(0, &byte, 1) > 0) {
  }
  ends = true;
  for (std::thread& thread : threads) thread.join();
  return 0;
}
