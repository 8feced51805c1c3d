// A process to be attached to: N threads, each some frames deep, wait in the kernel until standard input ends.
// Prints "ready" when all do.
//   blocked_threads N
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

std::atomic<int> waiting = 0;

[[gnu::noinline]] uint64_t wait_for(int event, int depth) {
  if (depth > 0) return wait_for(event, depth - 1) + 1;
  uint64_t value = 0;
  waiting++;
  return read(event, &value, sizeof value) == sizeof value ? value : 0;
}

}  // namespace

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 200;
  const int event = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back([event] { wait_for(event, 15); });
  while (waiting < count) usleep(1000);
  usleep(20'000);
  std::puts("ready");
  std::fflush(stdout);
  char byte = 0;
  while (read(0, &byte, 1) > 0) {
  }
  const uint64_t all = static_cast<uint64_t>(count);
  if (write(event, &all, sizeof all) != sizeof all) return 1;
  for (std::thread& thread : threads) thread.join();
  return 0;
}
