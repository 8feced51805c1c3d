// The few memory functions the agent and its compiler need; libc's may be patched, slow to bind, or use vector
// registers.
#pragma once

#include <stddef.h>
#include <stdint.h>

extern "C" {
void* memcpy(void* to, const void* from, size_t size);
void* memmove(void* to, const void* from, size_t size);
void* memset(void* to, int value, size_t size);
}

namespace culprit::agent {

inline size_t length_of(const char* text, size_t limit) {
  size_t length = 0;
  while (length < limit && text[length] != 0) ++length;
  return length;
}

// `text` begins with `prefix`?
inline bool starts_with(const char* text, const char* prefix) {
  while (*prefix != 0)
    if (*text++ != *prefix++) return false;
  return true;
}

}  // namespace culprit::agent
