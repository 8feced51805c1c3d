// Telling what was allocated and released. A block is told of after the allocation returned and before it is released,
// so that of two blocks at one address the older one always ends before the younger begins, whichever threads they
// belong to.
#pragma once

#include <stddef.h>

#include "agent/hook_scope.h"
#include "agent/raw_syscall.h"

namespace culprit::agent {

// The caller of one of the functions in front, of which this is the frame.
inline __attribute__((always_inline)) CallSite caller_of(const void* frame_address) {
  auto* frame = static_cast<const uint64_t*>(frame_address);
  return {frame[1] - 1, frame[1], address_of(frame + 2), frame[0]};
}
inline uint64_t stack_of_caller(const void* frame_address) {
  return address_of(static_cast<const uint64_t*>(frame_address) + 2);
}
#define CULPRIT_FRAME __builtin_frame_address(0)

// Only inside a hook. `time`: tsc() after the call that allocated returned, or before the one that releases.
void write_allocation(const CallSite& caller, const void* block, size_t size, culprit_allocator_function function,
                      uint64_t time);
void write_release(const CallSite& caller, const void* block, culprit_allocator_function function, uint64_t time);

// The block that the real function returned; null: it failed. While sampling: one of the sample.
void* allocated(const CallSite& caller, void* block, size_t size, culprit_allocator_function function);
// Not null. While sampling: one that was told.
void about_to_release(const CallSite& caller, const void* block, culprit_allocator_function function);

}  // namespace culprit::agent
