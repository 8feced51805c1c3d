// links: analysis
// Any call of futex into any memory: what it is taken for must be something that can be.
#include "analysis/futex_wait.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace culprit;
  constexpr uint64_t start = 0x10000;
  ByteReader input(Bytes(reinterpret_cast<const std::byte*>(data), size));
  BlockingCall call{202, {}};
  // The address lies in the memory that follows, or close to it.
  call.arguments = {start + input.take<uint8_t>() * 4 - 64,
                    input.take<uint16_t>(),
                    input.take<uint32_t>(),
                    input.take<uint8_t>() % 2 * start,
                    0,
                    0};
  const auto known = static_cast<LockKind>(input.take<uint8_t>() % lock_kind_count);
  CopiedMemory memory(start, input.take_bytes(input.remaining()));
  auto is_thread = [](uint32_t tid) { return tid != 0 && tid < 1000; };
  auto futex = futex_call_of(call);
  if (!futex) return 0;
  const TypedWait typed = type_futex_wait(*futex, memory, is_thread, known);
  if (typed.lock.owner > futex_tid_mask) __builtin_trap();
  if (typed.lock.kind == LockKind::stream && !is_thread(typed.lock.owner)) __builtin_trap();
  if (typed.lock.owner != 0 && typed.lock.readers != 0) __builtin_trap();
  guess_lock_state(futex->address, memory, is_thread);
  return 0;
}
