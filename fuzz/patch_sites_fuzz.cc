// links: capture
// The input is machine code of one function at 0x2000; every site found must keep its promises.
#include <cstring>

#include "capture/patch_sites.h"
#include "support/eh_frame_builder.h"
#include "support/elf_builder.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace culprit;
  if (size == 0 || size > 0x4000) return 0;
  std::string code(reinterpret_cast<const char*>(data), size);
  testing::EhFrameBuilder frame(0x8000);
  frame.cie().fde(0x2000, size / 2 + 1).fde(0x2000 + size / 2 + 1, size);
  std::string file = testing::ElfBuilder().code(0x2000, code).section(".eh_frame", 0x8000, frame.finish()).finish();
  auto elf = parse_elf(as_bytes(file));
  if (!elf) __builtin_trap();
  constexpr uint16_t wanted[] = {0, 3, 16, 60, 231, 257};
  uint64_t end = 0x2000;
  for (const culprit_site& site : find_patch_sites(*elf, wanted).sites) {
    if (site.start < end || site.length < 5 || site.length > 16 || site.start + site.length > 0x2000 + size)
      __builtin_trap();
    if (std::memcmp(data + site.start - 0x2000, site.original, site.length) != 0) __builtin_trap();
    if (site.kind <= CULPRIT_SITE_ANY_CALL && site.syscall_offset + 2 != site.length) __builtin_trap();
    end = site.start + site.length;
  }
  return 0;
}
