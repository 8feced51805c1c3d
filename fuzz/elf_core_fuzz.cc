// links: target
#include "support/ask_target.h"
#include "target/elf_core.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace culprit;
  Bytes bytes = std::as_bytes(std::span(data, size));
  // A core names files; those of this machine are none of the input.
  auto core = open_core_bytes(bytes, {.name = "core", .places = {.opens_files = false}});
  if (core) testing::ask_everything(**core);
  return 0;
}
