// Memory that a program maps for itself, beside its allocator: mmap, munmap, mremap and brk, as ranges of addresses.
// What lives of them is worked out by analysis/mapping_totals.
#pragma once

#include <cstdint>
#include <string_view>

#include "model/ids.h"

namespace culprit {

enum class MappingKind : uint8_t {
  anonymous,
  shared,  // anonymous, and shared with forked processes
  file,
  stack,  // mapped to be the stack of a thread (MAP_STACK)
  program_break,
  moved,  // by mremap: it is what has left before; or, where nothing has, more of a mapping that stays where it is
};
inline constexpr size_t mapping_kind_count = 6;
std::string_view name_of(MappingKind kind);  // "anonymous"
std::string_view call_of(MappingKind kind);  // what makes it: "mmap"

enum class MappingAction : uint8_t {
  map,    // [address, address + size) is this mapping's now, whatever was there
  unmap,  // nothing is there any more; there is no stack
  leave,  // the same, but what was there comes back in this thread's next `map` of kind `moved`
};

struct MappingEvent {
  Time time = 0;  // map: when the call returned; the others: when it began
  uint64_t address = 0;
  uint64_t size = 0;  // bytes; whole pages
  ProcessId process = ProcessId::none;
  uint32_t tid = 0;
  StackId stack = StackId::none;
  MappingKind kind = MappingKind::anonymous;  // of `map` only
  MappingAction action = MappingAction::map;

  bool operator==(const MappingEvent&) const = default;
};

}  // namespace culprit
