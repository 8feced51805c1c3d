#include "agent/memory.h"

extern "C" {

__attribute__((visibility("hidden"))) void* memcpy(void* to, const void* from, size_t size) {
  void* result = to;
  // The string instruction takes long to begin.
  for (; size >= 8 && size < 256; size -= 8) {
    uint64_t word;
    __builtin_memcpy(&word, from, 8);
    __builtin_memcpy(to, &word, 8);
    from = static_cast<const char*>(from) + 8;
    to = static_cast<char*>(to) + 8;
  }
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size)::"memory");
  return result;
}

__attribute__((visibility("hidden"))) void* memmove(void* to, const void* from, size_t size) {
  auto* target = static_cast<unsigned char*>(to);
  auto* source = static_cast<const unsigned char*>(from);
  if (target <= source) {
    for (size_t i = 0; i < size; ++i) target[i] = source[i];
  } else {
    for (size_t i = size; i-- > 0;) target[i] = source[i];
  }
  return to;
}

__attribute__((visibility("hidden"))) void* memset(void* to, int value, size_t size) {
  void* result = to;
  asm volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(value) : "memory");
  return result;
}
}
