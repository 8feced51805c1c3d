// What stands in front of malloc and its family: each function calls the real one and tells what it did. Exported by
// heap_exports.S, in libculprit_agent_heap.so only.
#include "agent/allocation_events.h"
#include "agent/allocator.h"
#include "agent/allocator_scope.h"
#include "agent/memory.h"
#include "agent/sampling.h"

namespace culprit::agent {

namespace {

// Calls the real function, and tells what it gave unless an allocator calls another function of its own. `frame`: of
// the function in front.
template <typename Call>
inline __attribute__((always_inline)) void* allocate(const void* frame, size_t size,
                                                     culprit_allocator_function function, Call call) {
  const uint64_t here = stack_of_caller(frame);
  if (inside_allocator(here)) return call();
  void* block = in_allocator(here, call);
  if (is_sampling() && !is_in_sample(size)) return block;
  return allocated(caller_of(frame), block, size, function);
}

void* moved_out_of_spare(const void* block, size_t size) {
  void* moved = real_allocator().malloc(size);
  if (moved != nullptr) memcpy(moved, block, size < spare_size(block) ? size : spare_size(block));
  return moved;
}

// A release and an allocation. The old block must be known not to be told any more before another can have its address.
void* reallocate(const CallSite& caller, void* block, size_t size) {
  bool is_told = block != nullptr && !is_spare(block) && (!is_sampling() || forget_block(block));
  uint64_t before = is_told && recording() ? tsc() : 0;
  void* moved = in_allocator(caller.rsp, [&] {
    return is_spare(block) ? moved_out_of_spare(block, size) : real_allocator().realloc(block, size);
  });
  bool released = is_told && (moved != nullptr || size == 0);
  if (is_told && !released && is_sampling()) remember_sampled(block);  // it failed: the old block lives on
  bool is_new_told = moved != nullptr && (!is_sampling() || (is_in_sample(size) && remember_sampled(moved)));
  if (!recording() || (!released && !is_new_told)) return moved;
  uint64_t after = tsc();
  in_hook(caller.rsp, [&] {
    if (released && before != 0) write_release(caller, block, CULPRIT_REALLOC, before);
    if (is_new_told) write_allocation(caller, moved, size, CULPRIT_REALLOC, after);
  });
  return moved;
}

}  // namespace

#define FRONT extern "C" __attribute__((visibility("hidden")))
#define NOINLINE static __attribute__((noinline))

// Of a sample nearly every call of malloc and free goes straight through: these two are so short that they need no
// frame. All they call is called last, so that it becomes a jump: to those it leads to, the caller is the program.
NOINLINE void* malloc_with_care(size_t size) {
  return allocate(CULPRIT_FRAME, size, CULPRIT_MALLOC, [=] { return real_allocator().malloc(size); });
}

FRONT void* culprit_malloc(size_t size) {
  return passes_sample(size) ? allocator.malloc(size) : malloc_with_care(size);
}

FRONT void* culprit_calloc(size_t count, size_t size) {
  return allocate(CULPRIT_FRAME, count * size, CULPRIT_CALLOC, [=] { return real_allocator().calloc(count, size); });
}

FRONT void* culprit_realloc(void* block, size_t size) {
  const CallSite caller = caller_of(CULPRIT_FRAME);
  if (inside_allocator(caller.rsp) && !is_spare(block)) return real_allocator().realloc(block, size);
  return reallocate(caller, block, size);
}

FRONT void* culprit_memalign(size_t alignment, size_t size) {
  return allocate(CULPRIT_FRAME, size, CULPRIT_MEMALIGN, [=] { return real_allocator().memalign(alignment, size); });
}

FRONT void* culprit_aligned_alloc(size_t alignment, size_t size) {
  return allocate(CULPRIT_FRAME, size, CULPRIT_ALIGNED_ALLOC,
                  [=] { return real_allocator().aligned_alloc(alignment, size); });
}

FRONT int culprit_posix_memalign(void** block, size_t alignment, size_t size) {
  int result = 0;
  allocate(CULPRIT_FRAME, size, CULPRIT_POSIX_MEMALIGN, [&]() -> void* {
    result = real_allocator().posix_memalign(block, alignment, size);
    return result == 0 ? *block : nullptr;
  });
  return result;
}

FRONT void* culprit_valloc(size_t size) {
  return allocate(CULPRIT_FRAME, size, CULPRIT_VALLOC, [=] { return real_allocator().valloc(size); });
}

FRONT void* culprit_pvalloc(size_t size) {
  return allocate(CULPRIT_FRAME, size, CULPRIT_PVALLOC, [=] { return real_allocator().pvalloc(size); });
}

NOINLINE void free_with_care(void* block) {
  if (block == nullptr || is_spare(block)) return;
  const uint64_t here = stack_of_caller(CULPRIT_FRAME);
  const bool is_told = is_sampling() ? forget_block(block) : !inside_allocator(here);
  if (!is_told) return real_allocator().free(block);
  about_to_release(caller_of(CULPRIT_FRAME), block, CULPRIT_FREE);
  in_allocator(here, [=] { return real_allocator().free(block), 0; });
}

FRONT void culprit_free(void* block) {
  if (passes_quickly && !may_be_noted(block)) return allocator.free(block);
  free_with_care(block);
}

// C23 tells the size, too, which the allocator may use and nobody needs here.
FRONT void culprit_free_sized(void* block, size_t) { culprit_free(block); }
FRONT void culprit_free_aligned_sized(void* block, size_t, size_t) { culprit_free(block); }

}  // namespace culprit::agent
