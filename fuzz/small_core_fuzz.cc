// links: format
#include "format/elf.h"
#include "format/small_core.h"

// Whatever a core claims, the plan is in order, keeps no more than it may, and what it makes is a core.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace culprit;
  constexpr uint64_t most = 1 << 20;
  Bytes bytes(reinterpret_cast<const std::byte*>(data), size);
  auto head = head_size_of_core(bytes);
  if (!head || *head > size) return 0;
  auto plan = plan_small_core(bytes, {.most_bytes = most});
  if (!plan) return 0;
  uint64_t from = 0, to = plan->head.size(), kept = 0;
  for (const SmallCorePlan::Piece& piece : plan->pieces) {
    if (piece.from < from || piece.to != to || piece.size == 0) __builtin_trap();
    from = piece.from + piece.size;
    to = piece.to + piece.size;
    kept += piece.size;
  }
  if (kept > most || to != plan->size || from > plan->original_size) __builtin_trap();
  auto small = parse_elf(plan->head);
  if (!small || small->type != elf::type_core) __builtin_trap();
  return 0;
}
