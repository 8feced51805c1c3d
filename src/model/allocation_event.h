// What a program does with memory, one event per call of its allocator. Lives of blocks are worked out from these by
// analysis/allocation_totals.
#pragma once

#include <cstdint>
#include <string_view>

#include "model/ids.h"

namespace culprit {

enum class AllocatorFunction : uint8_t {
  malloc,
  calloc,
  realloc,
  memalign,
  aligned_alloc,
  posix_memalign,
  valloc,
  pvalloc,
  free,
};
inline constexpr size_t allocator_function_count = 9;
std::string_view name_of(AllocatorFunction function);

enum class AllocationAction : uint8_t {
  allocate,  // a block of `size` bytes (as asked for) begins at `address`
  release,   // the block at `address` ends; size is 0, and there is no stack
};

// A realloc is a release and an allocation.
struct AllocationEvent {
  Time time = 0;  // allocations: when the call returned; releases: when it began
  uint64_t address = 0;
  uint64_t size = 0;
  ProcessId process = ProcessId::none;
  uint32_t tid = 0;
  StackId stack = StackId::none;
  AllocatorFunction function = AllocatorFunction::malloc;
  AllocationAction action = AllocationAction::allocate;

  bool operator==(const AllocationEvent&) const = default;
};

// Which blocks are recorded, by the size that the program asked for.
struct BlockSizes {
  uint64_t least = 0, most = UINT64_MAX;

  bool has_all() const { return least == 0 && most == UINT64_MAX; }
  bool has(uint64_t size) const { return size >= least && size <= most; }
};

}  // namespace culprit
