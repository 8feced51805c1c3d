// links: capture
// Any bytes as the beginning of a function.
#include "capture/moved_entry.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr uint64_t start = 0x401000, place = 0x40005000;
  const auto code = std::as_bytes(std::span(data, size));
  const uint64_t entry = start + (size == 0 ? 0 : data[size - 1] % size);
  auto moved = culprit::move_entry(code, start, entry, place);
  if (moved && moved->replaced < 5) __builtin_trap();
  return 0;
}
