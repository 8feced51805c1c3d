#include "model/allocation_event.h"

#include <array>

namespace culprit {

std::string_view name_of(AllocatorFunction function) {
  constexpr std::array<std::string_view, allocator_function_count> names = {
      "malloc", "calloc", "realloc", "memalign", "aligned_alloc", "posix_memalign", "valloc", "pvalloc", "free"};
  return names.at(static_cast<size_t>(function));
}

}  // namespace culprit
