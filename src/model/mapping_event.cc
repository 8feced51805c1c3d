#include "model/mapping_event.h"

#include <array>

namespace culprit {

std::string_view name_of(MappingKind kind) {
  constexpr std::array<std::string_view, mapping_kind_count> names = {"anonymous",    "shared", "file",
                                                                      "thread stack", "break",  "moved"};
  return names.at(static_cast<size_t>(kind));
}

std::string_view call_of(MappingKind kind) {
  if (kind == MappingKind::program_break) return "brk";
  return kind == MappingKind::moved ? "mremap" : "mmap";
}

}  // namespace culprit
