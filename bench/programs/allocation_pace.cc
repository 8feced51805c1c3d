// malloc+free in turns of a million pairs; after each the processor's nanoseconds per pair, until its output is closed.
// Processor time, as what is attached meanwhile works on the same processors.
#include <time.h>

#include <cstdio>
#include <cstdlib>

namespace {

void* volatile sink;

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

}  // namespace

int main() {
  constexpr int pairs = 1'000'000;
  for (;;) {
    const double begin = processor_seconds();
    for (int i = 0; i < pairs; ++i) {
      void* block = malloc(48);
      sink = block;
      free(block);
    }
    if (std::printf("%.2f\n", (processor_seconds() - begin) * 1e9 / pairs) < 0 || std::fflush(stdout) != 0) return 0;
  }
}
