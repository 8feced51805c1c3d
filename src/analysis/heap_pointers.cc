#include "analysis/heap_pointers.h"

#include <algorithm>

#include "analysis/memory_snapshot.h"
#include "analysis/pointer_scan.h"
#include "model/clock.h"

namespace culprit {

namespace {

void search(MemoryWindow& window, AddressRange range, AddressRange block, size_t most, FoundPointers& found) {
  scan_words(window, range, [&](uint64_t at, uint64_t value) {
    if (value - block.start >= block.end - block.start) return;
    if (found.pointers.size() < most)
      found.pointers.push_back({at, value});
    else
      ++found.left_out;
  });
}

}  // namespace

void find_pointers_into(Target& target, AddressRange block, size_t most, Time deadline, FoundPointers& found) {
  constexpr uint64_t between_looks = 16 << 20;
  const uint64_t from = found.left_off.value_or(0);
  found.left_off.reset();
  MemoryWindow window(target.memory());
  for (const TargetMapping& mapping : target.mappings()) {
    if (mapping.end <= from || !may_hold_pointers(target, mapping)) continue;
    for (AddressRange range : target.present_pages({std::max(from, mapping.start), mapping.end}).ranges) {
      for (; range.start < range.end; range.start += std::min(between_looks, range.end - range.start)) {
        found.left_off = range.start;
        if (monotonic_now() >= deadline) return;
        search(window, {range.start, std::min(range.end, range.start + between_looks)}, block, most, found);
      }
    }
  }
  found.left_off.reset();
}

}  // namespace culprit
