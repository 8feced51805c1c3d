// links: format
#include "format/elf.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace culprit;
  Bytes bytes = std::as_bytes(std::span(data, size));
  for (ElfLayout layout : {ElfLayout::file, ElfLayout::image}) {
    auto elf = parse_elf(bytes, layout);
    if (!elf) continue;
    elf->interpreter();
    elf->is_static();
    elf->needed_libraries();
    elf->build_id();
    elf->is_go();
    elf->debug_link();
    elf->function_symbols();
    elf->all_symbols();
    for (const ElfSegment& segment : elf->segments) load_bias(elf->segments, 0x1000, segment.offset);
  }
  return 0;
}
