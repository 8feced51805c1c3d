// Allocates by malloc and by operator new, with numbers known beforehand, whatever allocator it is run or linked with.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <new>

namespace {

#define APART __attribute__((noinline, noclone))

constexpr int made = 1000, kept = 300;

void* volatile sink;

APART void by_malloc() {
  for (int i = 0; i < made; ++i) {
    sink = malloc(501);
    if (i >= kept) free(sink);
  }
}
APART void by_calloc() {
  for (int i = 0; i < made; ++i) {
    sink = calloc(2, 251);
    if (i >= kept) free(sink);
  }
}
APART void by_realloc() {
  for (int i = 0; i < made; ++i) {
    sink = realloc(nullptr, 503);
    if (i >= kept) sink = realloc(sink, 20'000), free(sink);
  }
}
APART void by_posix_memalign() {
  for (int i = 0; i < made; ++i) {
    void* block = nullptr;
    if (posix_memalign(&block, 256, 504) != 0) abort();
    sink = block;
    if (i >= kept) free(sink);
  }
}
APART void by_new() {
  for (int i = 0; i < made; ++i) {
    sink = ::operator new(505);
    if (i >= kept) ::operator delete(sink);
  }
}
APART void by_new_array() {
  for (int i = 0; i < made; ++i) {
    sink = ::operator new[](506);
    if (i >= kept) ::operator delete[](sink, size_t{506});
  }
}
APART void by_quiet_new() {
  for (int i = 0; i < made; ++i) {
    sink = ::operator new(507, std::nothrow);
    if (i >= kept) ::operator delete(sink, size_t{507});
  }
}
APART void by_aligned_new() {
  for (int i = 0; i < made; ++i) {
    sink = ::operator new(512, std::align_val_t{512});
    if (i >= kept) ::operator delete(sink, size_t{512}, std::align_val_t{512});
  }
}
// Too much: the exception passes through whoever stands in front.
APART bool by_failing_new() {
  volatile size_t too_much = SIZE_MAX / 2;
  try {
    sink = ::operator new(too_much);
  } catch (const std::bad_alloc&) {
    return true;
  }
  return false;
}

}  // namespace

// With `failing` operator new is also asked for too much, which not every allocator survives.
int main(int count, char**) {
  if (count > 1 && !by_failing_new()) return 1;
  by_malloc();
  by_calloc();
  by_realloc();
  by_posix_memalign();
  by_new();
  by_new_array();
  by_quiet_new();
  by_aligned_new();
  puts("done");
  return 0;
}
