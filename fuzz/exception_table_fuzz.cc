// links: format
// The first eight bytes are the place in the function, the rest is its table.
#include "format/exception_table.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace culprit;
  ByteReader input(std::as_bytes(std::span(data, size)));
  auto pc = input.take<uint64_t>();
  ExceptionWay way = way_of_exception(input.take_bytes(input.remaining()), 0x1000, pc);
  if (way > ExceptionWay::forbidden) __builtin_trap();
  return 0;
}
