// The program's own allocator behind the functions that libculprit_agent_heap.so puts in front of it: malloc and its
// family, as the loader would have found them without us (libc's, or those of jemalloc, tcmalloc …).
#pragma once

#include <stddef.h>

namespace culprit::agent {

struct Allocator {
  void* (*malloc)(size_t size);
  void* (*calloc)(size_t count, size_t size);
  void* (*realloc)(void* block, size_t size);
  void* (*memalign)(size_t alignment, size_t size);
  void* (*aligned_alloc)(size_t alignment, size_t size);
  int (*posix_memalign)(void** block, size_t alignment, size_t size);
  void* (*valloc)(size_t size);
  void* (*pvalloc)(size_t size);
  void (*free)(void* block);
};

extern Allocator allocator __attribute__((visibility("hidden")));
extern bool allocator_found __attribute__((visibility("hidden")));
void find_allocator();

// Found at the first call: the loader itself allocates before any constructor runs.
inline const Allocator& real_allocator() {
  if (__builtin_expect(!allocator_found, 0)) find_allocator();
  return allocator;
}

// Is it glibc's own? None of its functions calls another one as a program does.
bool is_allocator_of_libc();

// Is this the library that has functions in front of the allocator?
bool stands_before_allocator();
// And that allocator another one than glibc's? False as long as it has not been looked for.
bool stands_before_foreign_malloc();

// A block that was handed out while the allocator was being looked for. It is never given back.
bool is_spare(const void* block);
// At most so many bytes lie behind it.
size_t spare_size(const void* block);

}  // namespace culprit::agent
