// A program with an allocator linked into it: malloc and its family are its own. Built a second time with a malloc
// whose first instruction is a call (NOT_TO_BE_MOVED), where nothing can be put in front of it.
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

namespace {

alignas(16) unsigned char memory[1 << 20];
size_t used;
volatile size_t freed;

}  // namespace

#ifdef NOT_TO_BE_MOVED
asm(".globl malloc\n.type malloc, @function\nmalloc:\n\tcall own_malloc\n\tret\n.size malloc, . - malloc");
#define malloc own_malloc
#endif

extern "C" void* malloc(size_t size) {
  size_t whole = (size + 31) & ~size_t{15};
  if (whole < size || whole > sizeof memory - used) return nullptr;
  memcpy(memory + used, &size, sizeof size);
  void* block = memory + used + 16;
  used += whole;
  return block;
}
extern "C" void* calloc(size_t count, size_t size) { return malloc(count * size); }
extern "C" void* realloc(void* block, size_t size) {
  void* moved = malloc(size);
  size_t old = 0;
  if (block != nullptr) memcpy(&old, static_cast<unsigned char*>(block) - 16, sizeof old);
  if (moved != nullptr && block != nullptr) memcpy(moved, block, old < size ? old : size);
  return moved;
}
extern "C" void free(void* block) {
  if (block != nullptr) freed = freed + 1;  // and never given out again
}

int main() {
  char* text = strdup("allocated by itself\n");
  return text != nullptr && write(1, text, strlen(text)) > 0 ? 0 : 1;
}
