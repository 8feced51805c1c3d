#include "analysis/heap_place.h"

namespace culprit {

namespace {

// A block reaches 8 bytes into the chunk behind it.
bool holds(const HeapBlock& block, uint64_t address) {
  const uint64_t begin = block.chunk() + size_field;
  return address >= begin && address - begin < block.chunk_size;
}

uint64_t distance(uint64_t a, uint64_t b) { return a < b ? b - a : a - b; }

void take_nearest_break(HeapPlace& place, const std::vector<HeapBreak>& breaks, uint64_t address) {
  for (const HeapBreak& each : breaks)
    if (!place.nearest_break || distance(each.chunk, address) < distance(place.nearest_break->chunk, address))
      place.nearest_break = each;
}

}  // namespace

std::optional<HeapPlace> place_in_heap(const HeapLayout& layout, MemoryReader& memory, uint64_t address) {
  HeapPlace place;
  if (const MmappedChunk* chunk = layout.mmapped_at(address)) {
    place.block = block_of(*chunk);
    place.offset = static_cast<int64_t>(address - place.block->address);
    return place;
  }
  const HeapRegion* region = layout.region_at(address);
  if (region == nullptr) return {};
  auto walked = walk_region(layout, *region, memory, [&](const HeapBlock& block, Bytes) {
    if (holds(block, address)) {
      place.block = block;
      place.offset = static_cast<int64_t>(address - block.address);
    } else if (block.chunk() > address) {
      if (!place.after) place.after = block;
    } else {
      place.before = block;
    }
    return true;
  });
  take_nearest_break(place, walked.breaks, address);
  return place;
}

}  // namespace culprit
