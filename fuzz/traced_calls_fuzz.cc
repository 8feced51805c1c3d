// links: capture
// A system call's number, arguments and result, then what its process has in memory: the hostile part is the memory.
#include <cstring>

#include "capture/traced_calls.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace culprit;
  constexpr uint64_t memory_at = 0x10000;
  struct Head {
    uint16_t number;
    int16_t result;
    uint32_t padding;
    CallArguments arguments;
  } head;
  if (size < sizeof head) return 0;
  std::memcpy(&head, data, sizeof head);
  CopiedMemory memory(memory_at, std::as_bytes(std::span(data + sizeof head, size - sizeof head)));
  for (uint64_t& argument : head.arguments) {
    if (argument % 4 == 1) argument = memory_at + argument % (size + 1);  // most numbers would point nowhere
  }
  for (const MadeHandle& made : made_by(head.number, head.arguments, head.result, memory)) {
    if (made.value < 0) __builtin_trap();
  }
  auto closed = closed_by(head.number, head.arguments);
  if (closed && (closed->first < 0 || closed->last < closed->first)) __builtin_trap();
  fork_flags(head.number, head.arguments, memory);
  auto text = read_text(memory, head.arguments[0], 4096);
  if (text && text->text.size() > 4096) __builtin_trap();
  return 0;
}
