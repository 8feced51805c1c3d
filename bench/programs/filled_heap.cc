// filled_heap MEGABYTES [THREADS]: fills its heap with blocks of 16 to 3000 bytes, many of which point to others, frees
// every fourth, asks malloc itself for its totals, and prints how many milliseconds that took. Then it waits for the
// end of its input.
#include <malloc.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

static void fill(uint64_t seed, size_t bytes, std::vector<void*>& blocks) {
  size_t made = 0;
  while (made < bytes) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    const size_t size = 16 + seed % 2985;
    void** block = static_cast<void**>(malloc(size));
    memset(block, 1, size);
    if (!blocks.empty()) block[0] = blocks[(seed >> 32) % blocks.size()];
    blocks.push_back(block);
    made += size;
  }
  for (size_t i = 0; i < blocks.size(); i += 4) {
    free(blocks[i]);
    blocks[i] = nullptr;
  }
}

int main(int count, char** arguments) {
  const size_t bytes = (count > 1 ? strtoul(arguments[1], nullptr, 10) : 1000) << 20;
  const size_t threads = count > 2 ? strtoul(arguments[2], nullptr, 10) : 1;
  static std::vector<std::vector<void*>> blocks(threads);
  std::vector<std::thread> running;
  for (size_t i = 1; i < threads; ++i) running.emplace_back(fill, i, bytes / threads, std::ref(blocks[i]));
  fill(77, bytes / threads, blocks[0]);
  for (std::thread& thread : running) thread.join();
  const auto begin = std::chrono::steady_clock::now();
  const struct mallinfo2 info = mallinfo2();
  const double took = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  printf("%zu %.3f\n", info.arena, took);
  fflush(stdout);
  char byte;
  while (read(0, &byte, 1) > 0) {
  }
}
