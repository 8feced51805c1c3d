// links: format
#include "format/core_notes.h"
#include "format/core_outline.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace culprit;
  Bytes bytes = std::as_bytes(std::span(data, size));
  for (uint64_t alignment : {1, 4, 8}) {
    CoreNotes notes;
    add_core_notes(bytes, alignment, notes);
    for (const CoreFileRange& range : notes.files)
      if (range.start >= range.end) __builtin_trap();
  }
  (void)outline_core(bytes);
  return 0;
}
