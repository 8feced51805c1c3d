// links: format
// Bytes as the variables of a C library: what is found in them fits its own description.
#include "format/musl_heap.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  for (const culprit::MuslHeap& heap : culprit::find_musl_heaps({reinterpret_cast<const std::byte*>(data), size}))
    if (heap.secret == 0 || heap.first_area % 4096 != 0 || heap.last_area % 4096 != 0) __builtin_trap();
  return 0;
}
