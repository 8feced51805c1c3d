// Allocates along many call paths in turn. The size of a block says along which path it was made, so a stack that has
// blocks of two sizes is a wrong one.
//
//   allocation_paths in-turn ROUNDS [GROUPS]   GROUPS × 64 paths of equal frames, in an order that looks like chance
//   allocation_paths shapes ROUNDS             recursions of all depths, through frames of changing sizes
//   allocation_paths plugins ONE TWO           plugins that land in the same place one after the other
#include <alloca.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

namespace {

#define APART __attribute__((noinline, noclone))

void* volatile sink;

APART void allocate(unsigned size) { sink = malloc(size); }

unsigned next(unsigned& seed) {
  seed = seed * 1103515245 + 12345;
  return seed >> 16;
}

// Two call sites a level, far out and further in.
template <int level>
APART int descend(unsigned path, unsigned size) {
  int value = (path & 1) != 0 ? descend<level - 1>(path >> 1, size) : descend<level - 1>(path >> 1, size) + 1;
  return value + 1;  // no tail call
}
template <>
APART int descend<0>(unsigned, unsigned size) {
  allocate(size);
  return 1;
}

int in_turn(unsigned rounds, unsigned groups) {
  unsigned seed = 1;
  int sum = 0;
  for (unsigned i = 0; i < rounds; ++i) {
    // Now few paths, then many: what is remembered of them has bounds.
    unsigned path = next(seed) % (i % 1000 < 500 ? 8 : 64 * groups);
    sum += descend<10>(path, 1000 + path);
  }
  return sum == 0;
}

APART int recurse(unsigned depth, unsigned room, unsigned size) {
  auto* frame = static_cast<volatile char*>(alloca(16 + room));
  frame[0] = 1;
  if (depth == 0) {
    allocate(size);
    return frame[0];
  }
  return recurse(depth - 1, room, size) + frame[0];
}
APART int from_two_places(unsigned way, unsigned depth, unsigned room, unsigned size) {
  return way == 0 ? recurse(depth, room, size) + 1 : recurse(depth, room, size) + 2;
}

int shapes(unsigned rounds) {
  unsigned seed = 7;
  int sum = 0;
  for (unsigned i = 0; i < rounds; ++i) {
    unsigned depth = next(seed) % 12, room = next(seed) % 4 * 64, way = next(seed) % 2;
    unsigned size = 1000 + depth * 2 + way;  // the same for all sizes of frames: these make no other path
    sum += from_two_places(way, depth, room, size);
  }
  return sum == 0;
}

APART int run_and_unload(const char* path) {
  void* plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (plugin == nullptr) return -1;
  auto run = reinterpret_cast<int (*)(void (*)(unsigned))>(dlsym(plugin, "run_plugin"));
  int calls = 0;
  for (int i = 0; run != nullptr && i < 3; ++i) calls += run(allocate);
  dlclose(plugin);
  return calls;
}

int plugins(const char* one, const char* two) {
  const char* paths[] = {one, two};
  for (unsigned round = 0; round < 40; ++round)  // from one place: only the plugins differ
    if (run_and_unload(paths[round % 2]) != 3) return 1;
  return 0;
}

}  // namespace

int main(int count, char** words) {
  const char* way = count > 1 ? words[1] : "";
  auto number = [&](int i, int otherwise) { return static_cast<unsigned>(count > i ? atoi(words[i]) : otherwise); };
  if (strcmp(way, "in-turn") == 0) return in_turn(number(2, 1000), number(3, 1));
  if (strcmp(way, "shapes") == 0) return shapes(number(2, 1000));
  if (strcmp(way, "plugins") == 0 && count == 4) return plugins(words[2], words[3]);
  fprintf(stderr, "usage: allocation_paths in-turn ROUNDS [GROUPS] | shapes ROUNDS | plugins ONE TWO\n");
  return 2;
}
