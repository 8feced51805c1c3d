#include "agent/heap_gate.h"

#include <stddef.h>

#include "agent/allocator.h"
#include "agent/memory.h"
#include "agent/noted_blocks.h"
#include "agent/raw_syscall.h"
#include "agent/sampling.h"

extern "C" {
void* dlsym(void* handle, const char* name) __attribute__((weak));
// Room for the moved beginnings, in heap_room.S.
extern const unsigned char culprit_moved_entries[] __attribute__((visibility("hidden")));

// In allocation_functions.cc.
#define FRONT __attribute__((visibility("hidden")))
FRONT void* culprit_malloc(size_t size);
FRONT void* culprit_calloc(size_t count, size_t size);
FRONT void* culprit_realloc(void* block, size_t size);
FRONT void* culprit_memalign(size_t alignment, size_t size);
FRONT void* culprit_aligned_alloc(size_t alignment, size_t size);
FRONT int culprit_posix_memalign(void** block, size_t alignment, size_t size);
FRONT void* culprit_valloc(size_t size);
FRONT void* culprit_pvalloc(size_t size);
FRONT void culprit_free(void* block);
}

namespace culprit::agent {

namespace {

static_assert(CULPRIT_ALLOCATOR_FUNCTIONS * CULPRIT_ENTRY_CODE == 640, "the room in heap_room.S");

constexpr uint64_t any_size = ~uint64_t{0};
constexpr culprit_heap_gate closed_gate{
    .doors = {}, .room = 0, .beyond = {}, .least = 0, .most = any_size, .mappings = 0};
culprit_heap_gate gate = closed_gate;

inline bool is_filtered() { return gate.most - gate.least != any_size; }
inline bool passes_by(size_t size) { return size - gate.least > gate.most - gate.least; }

// With a filter, the recorded blocks that live are noted, so that releases of others pass by. Where there is no room
// for one more, releases of others beside it are recorded, too: those do no harm, a missed one would.
void note(const void* block) {
  if (is_filtered() && block != nullptr && !is_noted(block) && !note_block(block)) note_all_beside(block);
}
void forget(const void* block) {
  if (is_filtered() && block != nullptr) forget_block(block);
}

template <typename Function>
inline Function* beyond(culprit_allocator_function function) {
  return reinterpret_cast<Function*>(gate.beyond[function]);
}

template <culprit_allocator_function function, typename... Arguments>
void* allocate(Arguments... arguments) {
  void* block = beyond<void*(Arguments...)>(function)(arguments...);
  note(block);
  return block;
}

void* reallocate(void* block, size_t size) {
  const bool was_noted = is_filtered() && block != nullptr && is_noted(block);
  forget(block);
  void* moved = beyond<void*(void*, size_t)>(CULPRIT_REALLOC)(block, size);
  // Where it failed the old block lives on.
  note(moved == nullptr && size != 0 && was_noted ? block : moved);
  return moved;
}

int posix_memalign(void** block, size_t alignment, size_t size) {
  int result = beyond<int(void**, size_t, size_t)>(CULPRIT_POSIX_MEMALIGN)(block, alignment, size);
  if (result == 0) note(*block);
  return result;
}

void release(void* block) {
  forget(block);
  beyond<void(void*)>(CULPRIT_FREE)(block);
}

constexpr Allocator beyond_the_gate{allocate<CULPRIT_MALLOC, size_t>,
                                    allocate<CULPRIT_CALLOC, size_t, size_t>,
                                    reallocate,
                                    allocate<CULPRIT_MEMALIGN, size_t, size_t>,
                                    allocate<CULPRIT_ALIGNED_ALLOC, size_t, size_t>,
                                    posix_memalign,
                                    allocate<CULPRIT_VALLOC, size_t>,
                                    allocate<CULPRIT_PVALLOC, size_t>,
                                    release};

// The calls below are the last thing a door does, so that they become jumps: to those they lead to, the caller is the
// program.
void* door_of_malloc(size_t size) {
  return passes_by(size) ? beyond<void*(size_t)>(CULPRIT_MALLOC)(size) : culprit_malloc(size);
}

void* door_of_calloc(size_t count, size_t size) {
  size_t whole = 0;
  return __builtin_mul_overflow(count, size, &whole) || passes_by(whole)
             ? beyond<void*(size_t, size_t)>(CULPRIT_CALLOC)(count, size)
             : culprit_calloc(count, size);
}

void* door_of_realloc(void* block, size_t size) {
  bool is_of_interest = !passes_by(size) || (is_filtered() && block != nullptr && is_noted(block));
  return is_of_interest ? culprit_realloc(block, size) : beyond<void*(void*, size_t)>(CULPRIT_REALLOC)(block, size);
}

void* door_of_memalign(size_t alignment, size_t size) {
  return passes_by(size) ? beyond<void*(size_t, size_t)>(CULPRIT_MEMALIGN)(alignment, size)
                         : culprit_memalign(alignment, size);
}

void* door_of_aligned_alloc(size_t alignment, size_t size) {
  return passes_by(size) ? beyond<void*(size_t, size_t)>(CULPRIT_ALIGNED_ALLOC)(alignment, size)
                         : culprit_aligned_alloc(alignment, size);
}

int door_of_posix_memalign(void** block, size_t alignment, size_t size) {
  return passes_by(size) ? beyond<int(void**, size_t, size_t)>(CULPRIT_POSIX_MEMALIGN)(block, alignment, size)
                         : culprit_posix_memalign(block, alignment, size);
}

void* door_of_valloc(size_t size) {
  return passes_by(size) ? beyond<void*(size_t)>(CULPRIT_VALLOC)(size) : culprit_valloc(size);
}

void* door_of_pvalloc(size_t size) {
  return passes_by(size) ? beyond<void*(size_t)>(CULPRIT_PVALLOC)(size) : culprit_pvalloc(size);
}

void door_of_free(void* block) {
  if (is_filtered() && !is_noted(block)) return beyond<void(void*)>(CULPRIT_FREE)(block);
  culprit_free(block);
}

template <typename Function>
uint64_t address_of_function(Function* function) {
  return reinterpret_cast<uint64_t>(function);
}

}  // namespace

void find_allocator_of_program(uint64_t (&functions)[CULPRIT_ALLOCATOR_FUNCTIONS]) {
  constexpr const char* names[CULPRIT_ALLOCATOR_FUNCTIONS] = {nullptr,    "malloc",        "calloc",         "realloc",
                                                              "memalign", "aligned_alloc", "posix_memalign", "valloc",
                                                              "pvalloc",  "free"};
  void* search_order = nullptr;  // RTLD_DEFAULT
  for (uint32_t i = 1; i < CULPRIT_ALLOCATOR_FUNCTIONS; ++i)
    functions[i] = dlsym == nullptr ? 0 : address_of(dlsym(search_order, names[i]));
}

void open_gate(culprit_attach& attach) {
  allocator = beyond_the_gate;
  allocator_found = true;
  gate.doors[CULPRIT_MALLOC] = address_of_function(door_of_malloc);
  gate.doors[CULPRIT_CALLOC] = address_of_function(door_of_calloc);
  gate.doors[CULPRIT_REALLOC] = address_of_function(door_of_realloc);
  gate.doors[CULPRIT_MEMALIGN] = address_of_function(door_of_memalign);
  gate.doors[CULPRIT_ALIGNED_ALLOC] = address_of_function(door_of_aligned_alloc);
  gate.doors[CULPRIT_POSIX_MEMALIGN] = address_of_function(door_of_posix_memalign);
  gate.doors[CULPRIT_VALLOC] = address_of_function(door_of_valloc);
  gate.doors[CULPRIT_PVALLOC] = address_of_function(door_of_pvalloc);
  gate.doors[CULPRIT_FREE] = address_of_function(door_of_free);
  gate.room = address_of(culprit_moved_entries);
  attach.gate = address_of(&gate);
}

void forget_gate() {
  gate = closed_gate;
  forget_all_blocks();
}

bool records_mappings() {
  return !is_sampling() && (stands_before_allocator() || __atomic_load_n(&gate.mappings, __ATOMIC_RELAXED) != 0);
}

}  // namespace culprit::agent
