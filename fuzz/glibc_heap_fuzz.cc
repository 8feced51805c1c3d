// links: analysis
// Bytes as the data of a C library, and as a heap that is walked: whatever they are, it ends, and blocks do not
// overlap.
#include "analysis/heap_links.h"
#include "analysis/heap_place.h"
#include "analysis/heap_walk.h"

using namespace culprit;

namespace {

void read_parts(Bytes bytes) {
  for (const MallocState& state : find_malloc_states(bytes, 0x7f0000001008))
    if (state.next % chunk_alignment != 0 || state.system_bytes > state.most_system_bytes) __builtin_trap();
  read_heap_info(bytes);
  for (uint64_t size : thread_cache_chunks)
    if (auto cache = read_thread_cache(size, bytes)) {
      size_t disagreeing = 0;
      for (size_t i = 0; i < cache->counts.size(); ++i)
        disagreeing += (cache->counts[i] == 0) != (cache->entries[i] == 0);
      if (disagreeing != (cache->is_changing ? 1 : 0)) __builtin_trap();
    }
  for (uint64_t start : {uint64_t{0}, uint64_t{0x555500000000}})
    if (auto parameters = find_malloc_parameters(bytes, start))
      if (parameters->mmapped_bytes < 4096 * parameters->mmapped_blocks) __builtin_trap();
}

}  // namespace

// Of a walk that is left off at every block.
uint64_t blocks_in_steps(const HeapLayout& layout, MemoryReader& memory) {
  uint64_t blocks = 0;
  auto count = [&](const HeapBlock&, Bytes) { return ++blocks, false; };
  for (HeapWalkResult walked = walk_heap(layout, memory, count); walked.left_off;)
    walked = walk_heap(layout, memory, count, *walked.left_off);
  return blocks;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr uint64_t start = 0x555500000000;
  const Bytes bytes(reinterpret_cast<const std::byte*>(data), size);
  read_parts(bytes);
  HeapLayout layout;
  layout.arenas.resize(1);
  const uint64_t end = start + size / chunk_alignment * chunk_alignment;
  if (size > 2) layout.arenas[0].state.top = start + data[0] % size / chunk_alignment * chunk_alignment;
  for (size_t i = 0; i < size && i < 8; ++i)
    layout.listed.push_back({start + 64 * i, i % 2 == 0 ? FreeListKind::fast_bin : FreeListKind::thread_cache});
  if (end > start) layout.regions.push_back({start, end, end, start, 0});
  CopiedMemory memory(start, bytes);
  uint64_t behind = start;
  std::vector<FreeLinks> links;
  uint64_t blocks = 0;
  auto result = walk_heap(layout, memory, [&](const HeapBlock& block, Bytes first) {
    FreeLinks taken{.chunk = block.chunk()};
    if (first.size() == 16 && block.state == HeapBlockState::free) {
      std::memcpy(&taken.next, first.data(), 8);
      std::memcpy(&taken.previous, first.data() + 8, 8);
      links.push_back(taken);
    }
    ++blocks;
    if (block.chunk() < behind || block.chunk() + block.chunk_size > end) __builtin_trap();
    behind = block.chunk() + block.chunk_size;
    return true;
  });
  for (const HeapBreak& found : result.breaks)
    if (found.chunk < start || found.skipped > end - found.chunk) __builtin_trap();
  auto broken = check_links(layout, links, result.skipped_bytes == 0, 64);
  find_neighbours(layout, memory, broken);
  if (size > 2) layout.arenas[0].state.bins[0] = {start - 64, start + data[1] * 16u, start};
  if (find_unlisted(layout, links, broken).size() > 1) __builtin_trap();
  if (result.breaks.empty() && blocks_in_steps(layout, memory) != blocks) __builtin_trap();
  for (const HeapBreak& found : broken)
    if (found.before && found.before->chunk() >= found.chunk) __builtin_trap();
  if (size > 1) place_in_heap(layout, memory, start + data[1]);
  return 0;
}
