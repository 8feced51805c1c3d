#include "analysis/heap_pointers.h"

#include "analysis/memory_snapshot.h"
#include "analysis/pointer_scan.h"

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

FoundPointers find_pointers_into(Target& target, AddressRange block, size_t most) {
  FoundPointers found;
  MemoryWindow window(target.memory());
  for (const TargetMapping& mapping : target.mappings()) {
    if (!may_hold_pointers(target, mapping)) continue;
    for (const AddressRange& range : target.present_pages({mapping.start, mapping.end}).ranges)
      search(window, range, block, most, found);
  }
  return found;
}

}  // namespace culprit
