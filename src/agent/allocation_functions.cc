// What stands in front of the program's allocator: each function calls the real one and tells what it did. Exported by
// heap_exports.S, in libculprit_agent_heap.so only.
//
// A block is told of after the allocation returned and before it is released, so that of two blocks at one address
// the older one always ends before the younger begins, whichever threads they belong to.
#include "agent/allocator.h"
#include "agent/hook_scope.h"
#include "agent/memory.h"
#include "agent/raw_syscall.h"
#include "agent/ring.h"

namespace culprit::agent {

namespace {

// The caller of one of the functions below. Read at once: the frame is gone when what follows becomes a jump.
inline __attribute__((always_inline)) CallSite caller_of(const void* frame_address) {
  auto* frame = static_cast<const uint64_t*>(frame_address);
  return {frame[1] - 1, frame[1], address_of(frame + 2), frame[0]};
}

culprit_record allocation_record(culprit_record_kind kind, culprit_allocator_function function, const void* block) {
  culprit_record record{};
  record.kind = kind;
  record.call = function;
  record.extra = address_of(block);
  return record;
}

void write_allocation(const CallSite& caller, const void* block, size_t size, culprit_allocator_function function,
                      uint64_t time) {
  culprit_record record = allocation_record(CULPRIT_RECORD_ALLOCATE, function, block);
  record.tsc = time;
  record.value = static_cast<int32_t>(size);
  record.argument = static_cast<uint32_t>(size >> 32);
  if (is_nested()) return defer(caller, record);
  record.node = capture_stack(*thread.tree, caller);
  if (record.node < first_node) record.node = 0;
  put(record);
}

void write_release(const CallSite& caller, const void* block, culprit_allocator_function function, uint64_t time) {
  culprit_record record = allocation_record(CULPRIT_RECORD_RELEASE, function, block);
  record.tsc = time;
  if (is_nested()) return defer(caller, record);
  put(record);
}

void* allocated(const CallSite& caller, void* block, size_t size, culprit_allocator_function function) {
  if (block == nullptr || !recording()) return block;
  uint64_t time = tsc();
  in_hook(caller.rsp, [&] { write_allocation(caller, block, size, function, time); });
  return block;
}

void* moved_out_of_spare(const void* block, size_t size) {
  void* moved = real_allocator().malloc(size);
  if (moved != nullptr) memcpy(moved, block, size < spare_size(block) ? size : spare_size(block));
  return moved;
}

void* reallocate(const CallSite& caller, void* block, size_t size) {
  uint64_t before = recording() ? tsc() : 0;
  void* moved = is_spare(block) ? moved_out_of_spare(block, size) : real_allocator().realloc(block, size);
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

#define CALLER caller_of(__builtin_frame_address(0))
#define FRONT extern "C" __attribute__((visibility("hidden")))

FRONT void* culprit_malloc(size_t size) {
  return allocated(CALLER, real_allocator().malloc(size), size, CULPRIT_MALLOC);
}

FRONT void* culprit_calloc(size_t count, size_t size) {
  return allocated(CALLER, real_allocator().calloc(count, size), count * size, CULPRIT_CALLOC);
}

FRONT void* culprit_realloc(void* block, size_t size) { return reallocate(CALLER, block, size); }

FRONT void* culprit_memalign(size_t alignment, size_t size) {
  return allocated(CALLER, real_allocator().memalign(alignment, size), size, CULPRIT_MEMALIGN);
}

FRONT void* culprit_aligned_alloc(size_t alignment, size_t size) {
  return allocated(CALLER, real_allocator().aligned_alloc(alignment, size), size, CULPRIT_ALIGNED_ALLOC);
}

FRONT int culprit_posix_memalign(void** block, size_t alignment, size_t size) {
  int result = real_allocator().posix_memalign(block, alignment, size);
  if (result == 0) allocated(CALLER, *block, size, CULPRIT_POSIX_MEMALIGN);
  return result;
}

FRONT void* culprit_valloc(size_t size) {
  return allocated(CALLER, real_allocator().valloc(size), size, CULPRIT_VALLOC);
}

FRONT void* culprit_pvalloc(size_t size) {
  return allocated(CALLER, real_allocator().pvalloc(size), size, CULPRIT_PVALLOC);
}

FRONT void culprit_free(void* block) {
  if (block == nullptr || is_spare(block)) return;
  if (recording()) {
    const CallSite caller = CALLER;
    uint64_t time = tsc();
    in_hook(caller.rsp, [&] { write_release(caller, block, CULPRIT_FREE, time); });
  }
  real_allocator().free(block);
}

// C23 tells the size, too, which the allocator may use and nobody needs here.
FRONT void culprit_free_sized(void* block, size_t) { culprit_free(block); }
FRONT void culprit_free_aligned_sized(void* block, size_t, size_t) { culprit_free(block); }

}  // namespace culprit::agent
