// Threads that allocate and free all the time, in several arenas.
#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <thread>

namespace {

[[noreturn]] void churn(uint64_t state) {
  void* blocks[2000] = {};
  for (;;) {
    state = state * 6364136223846793005 + 1442695040888963407;
    void*& block = blocks[(state >> 33) % 2000];
    free(block);
    block = malloc(1 + (state >> 40) % 4000);
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return 2;
  for (uint64_t i = 0; i < 3; ++i) std::thread(churn, i).detach();
  close(open(arguments[1], O_WRONLY | O_CREAT, 0644));
  churn(77);
}
