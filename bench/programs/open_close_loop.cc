// Opens and closes one file again and again, 16 functions deep: what it costs to record a handle's creation and end with
// its stack. Prints nanoseconds per open+close pair.
//   open_close_loop PAIRS
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace {

// One function per depth: recursion would give the unwinder the same row each time.
template <int Depth>
[[gnu::noinline]] int frame(const char* path) {
  // Locals that differ in size, so that frames do, too.
  volatile char local[16 + 8 * Depth];
  local[0] = static_cast<char>(Depth);
  int result;
  if constexpr (Depth == 0) {
    const int value = ::open(path, O_RDONLY | O_CLOEXEC);
    result = value < 0 ? -1 : ::close(value);
  } else {
    result = frame<Depth - 1>(path);
  }
  return result + (local[0] - Depth);
}

}  // namespace

int main(int argc, char** argv) {
  const long pairs = argc > 1 ? std::atol(argv[1]) : 1'000'000;
  if (pairs <= 0) return 2;
  const auto begin = std::chrono::steady_clock::now();
  for (long i = 0; i < pairs; ++i) {
    if (frame<15>("/dev/null") != 0) return 1;
  }
  const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - begin;
  std::printf("%.1f\n", taken.count() / static_cast<double>(pairs));
}
