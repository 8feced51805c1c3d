// links: target
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "target/moved_instruction.h"

// Any bytes at any distance: what is moved fits its slot, begins with "nothing executed", and tells every place once.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace culprit;
  constexpr uint64_t address = 0x7f0000001000, near = address + 0x10000, far = 0x550000000000;
  Bytes code = std::as_bytes(std::span(data, size));
  if (must_stay_near(code, address)) (void)instruction_kind(code, address);
  for (uint64_t slot : {near, far}) {
    auto moved = move_instruction(code, address, slot);
    if (!moved) continue;
    if (moved->length == 0 || moved->length > most_instruction_bytes) abort();
    if (moved->places.empty() || moved->places.front().offset != 0) abort();
    for (size_t i = 1; i < moved->places.size(); i++) {
      bool is_ascending = moved->places[i].offset > moved->places[i - 1].offset;
      if (!is_ascending || moved->places[i].offset >= moved_instruction_size) abort();
    }
  }
  return 0;
}
