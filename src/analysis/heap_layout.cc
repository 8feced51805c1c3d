#include "analysis/heap_layout.h"

#include <algorithm>

#include "analysis/heap_layout_parts.h"

namespace culprit {

namespace {

template <typename Piece, typename Start>
const Piece* last_at_or_before(const std::vector<Piece>& pieces, uint64_t address, Start start) {
  auto after = std::ranges::upper_bound(pieces, address, {}, start);
  return after == pieces.begin() ? nullptr : &*std::prev(after);
}

}  // namespace

const HeapRegion* HeapLayout::region_at(uint64_t address) const {
  const HeapRegion* region = last_at_or_before(regions, address, &HeapRegion::start);
  return region != nullptr && address < region->end ? region : nullptr;
}

const MmappedChunk* HeapLayout::mmapped_at(uint64_t address) const {
  const MmappedChunk* chunk = last_at_or_before(mmapped, address, &MmappedChunk::mapping_start);
  return chunk != nullptr && address - chunk->mapping_start < chunk->mapped_bytes() ? chunk : nullptr;
}

Result<HeapLayout> find_heap(Target& target, std::span<const TargetThread> threads) {
  return find_heap(target, target.memory(), threads);
}

Result<HeapLayout> find_heap(Target& target, MemoryReader& memory, std::span<const TargetThread> threads) {
  HeapSearch search{target, memory, threads, {}, nullptr, {}, 0};
  if (!find_arenas(search))
    return fail(ErrorKind::not_found, "there is no heap of glibc's malloc: nothing looks like its main arena");
  find_regions(search);  // from here on: regions ascending, apart from each other
  find_mmapped_chunks(search);
  find_free_lists(search);
  return std::move(search.layout);
}

}  // namespace culprit
