// What stands in front of malloc and its family: each function calls the real one and tells what it did. Exported by
// heap_exports.S, in libculprit_agent_heap.so only.
#include "agent/allocation_events.h"
#include "agent/allocator.h"
#include "agent/allocator_scope.h"
#include "agent/memory.h"

namespace culprit::agent {

namespace {

// Calls the real function, and tells what it gave unless an allocator calls another function of its own.
template <typename Call>
inline __attribute__((always_inline)) void* allocate(const CallSite& caller, size_t size,
                                                     culprit_allocator_function function, Call call) {
  if (inside_allocator(caller.rsp)) return call();
  return allocated(caller, static_cast<void*>(in_allocator(caller.rsp, call)), size, function);
}

void* moved_out_of_spare(const void* block, size_t size) {
  void* moved = real_allocator().malloc(size);
  if (moved != nullptr) memcpy(moved, block, size < spare_size(block) ? size : spare_size(block));
  return moved;
}

void* reallocate(const CallSite& caller, void* block, size_t size) {
  uint64_t before = recording() ? tsc() : 0;
  void* moved = in_allocator(caller.rsp, [&] {
    return is_spare(block) ? moved_out_of_spare(block, size) : real_allocator().realloc(block, size);
  });
  // Where it failed the old block lives on.
  bool released = block != nullptr && !is_spare(block) && (moved != nullptr || size == 0);
  if (before == 0 || !recording() || (!released && moved == nullptr)) return moved;
  uint64_t after = tsc();
  in_hook(caller.rsp, [&] {
    if (released) write_release(caller, block, CULPRIT_REALLOC, before);
    if (moved != nullptr) write_allocation(caller, moved, size, CULPRIT_REALLOC, after);
  });
  return moved;
}

}  // namespace

#define FRONT extern "C" __attribute__((visibility("hidden")))

FRONT void* culprit_malloc(size_t size) {
  return allocate(CULPRIT_CALLER, size, CULPRIT_MALLOC, [=] { return real_allocator().malloc(size); });
}

FRONT void* culprit_calloc(size_t count, size_t size) {
  return allocate(CULPRIT_CALLER, count * size, CULPRIT_CALLOC, [=] { return real_allocator().calloc(count, size); });
}

FRONT void* culprit_realloc(void* block, size_t size) {
  const CallSite caller = CULPRIT_CALLER;
  if (inside_allocator(caller.rsp) && !is_spare(block)) return real_allocator().realloc(block, size);
  return reallocate(caller, block, size);
}

FRONT void* culprit_memalign(size_t alignment, size_t size) {
  return allocate(CULPRIT_CALLER, size, CULPRIT_MEMALIGN, [=] { return real_allocator().memalign(alignment, size); });
}

FRONT void* culprit_aligned_alloc(size_t alignment, size_t size) {
  return allocate(CULPRIT_CALLER, size, CULPRIT_ALIGNED_ALLOC,
                  [=] { return real_allocator().aligned_alloc(alignment, size); });
}

FRONT int culprit_posix_memalign(void** block, size_t alignment, size_t size) {
  int result = 0;
  allocate(CULPRIT_CALLER, size, CULPRIT_POSIX_MEMALIGN, [&]() -> void* {
    result = real_allocator().posix_memalign(block, alignment, size);
    return result == 0 ? *block : nullptr;
  });
  return result;
}

FRONT void* culprit_valloc(size_t size) {
  return allocate(CULPRIT_CALLER, size, CULPRIT_VALLOC, [=] { return real_allocator().valloc(size); });
}

FRONT void* culprit_pvalloc(size_t size) {
  return allocate(CULPRIT_CALLER, size, CULPRIT_PVALLOC, [=] { return real_allocator().pvalloc(size); });
}

FRONT void culprit_free(void* block) {
  if (block == nullptr || is_spare(block)) return;
  const CallSite caller = CULPRIT_CALLER;
  if (inside_allocator(caller.rsp)) return real_allocator().free(block);
  about_to_release(caller, block, CULPRIT_FREE);
  in_allocator(caller.rsp, [=] { return real_allocator().free(block), 0; });
}

// C23 tells the size, too, which the allocator may use and nobody needs here.
FRONT void culprit_free_sized(void* block, size_t) { culprit_free(block); }
FRONT void culprit_free_aligned_sized(void* block, size_t, size_t) { culprit_free(block); }

}  // namespace culprit::agent
