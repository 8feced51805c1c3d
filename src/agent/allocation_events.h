// Telling what was allocated and released. A block is told of after the allocation returned and before it is released,
// so that of two blocks at one address the older one always ends before the younger begins, whichever threads they
// belong to.
#pragma once

#include <stddef.h>

#include "agent/hook_scope.h"
#include "agent/raw_syscall.h"

namespace culprit::agent {

// The caller of one of the functions in front. Read at once: the frame is gone when what follows becomes a jump.
inline __attribute__((always_inline)) CallSite caller_of(const void* frame_address) {
  auto* frame = static_cast<const uint64_t*>(frame_address);
  return {frame[1] - 1, frame[1], address_of(frame + 2), frame[0]};
}
#define CULPRIT_CALLER caller_of(__builtin_frame_address(0))

// Only inside a hook. `time`: tsc() after the call that allocated returned, or before the one that releases.
void write_allocation(const CallSite& caller, const void* block, size_t size, culprit_allocator_function function,
                      uint64_t time);
void write_release(const CallSite& caller, const void* block, culprit_allocator_function function, uint64_t time);

// The block that the real function returned; null: it failed.
void* allocated(const CallSite& caller, void* block, size_t size, culprit_allocator_function function);
// Not null.
void about_to_release(const CallSite& caller, const void* block, culprit_allocator_function function);

}  // namespace culprit::agent
