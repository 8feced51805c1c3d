// musl's malloc as it lies in the memory of an x86-64 process: as much of it as it is known by. Bytes in, values out.
//
// Source: struct malloc_context and struct meta_area in src/malloc/mallocng/meta.h of musl 1.2.1 to 1.2.5. Older ones
// have another malloc, and so have programs that never free.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"

namespace culprit {

// All are claims.
struct MuslHeap {
  uint64_t secret = 0;  // random; each of its areas begins with it
  uint64_t first_area = 0, last_area = 0;

  bool operator==(const MuslHeap&) const = default;
};

// What may be one: so are other variables. It is one if its areas begin with its secret.
std::vector<MuslHeap> find_musl_heaps(Bytes bytes);

}  // namespace culprit
