// A library that stands between a program and libc's malloc, and keeps HEADER bytes in front of each block.
#include <malloc.h>
#include <stddef.h>
#include <string.h>

extern "C" {
void* __libc_malloc(size_t size);
void __libc_free(void* block);
}

namespace {

char* begin_of(void* block) { return static_cast<char*>(block) - HEADER; }

}  // namespace

extern "C" void* malloc(size_t size) {
  auto* begin = static_cast<char*>(__libc_malloc(size + HEADER));
  return begin == nullptr ? nullptr : begin + HEADER;
}
extern "C" void free(void* block) {
  if (block != nullptr) __libc_free(begin_of(block));
}
extern "C" void* calloc(size_t count, size_t size) {
  void* block = malloc(count * size);
  return block == nullptr ? nullptr : memset(block, 0, count * size);
}
extern "C" void* realloc(void* block, size_t size) {
  void* moved = malloc(size);
  if (moved == nullptr || block == nullptr) return moved;
  const size_t old = malloc_usable_size(begin_of(block)) - HEADER;
  memcpy(moved, block, old < size ? old : size);
  free(block);
  return moved;
}
