#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "analysis/heap_layout_parts.h"
#include "base/text.h"

namespace culprit {

namespace {

constexpr uint64_t usual_heap_bits = 26;  // 64 MB; with large pages glibc takes others
constexpr uint64_t least_heap_bits = 20, most_heap_bits = 34;
constexpr uint64_t most_heap_header = 128;

uint64_t aligned_up(uint64_t value, uint64_t alignment) { return (value + alignment - 1) / alignment * alignment; }

std::optional<HeapInfo> heap_info_at(MemoryReader& memory, uint64_t address) {
  std::array<std::byte, heap_info_size> bytes;
  if (!memory.read(address, bytes)) return {};
  return read_heap_info(bytes);
}

std::optional<ChunkHead> head_at(MemoryReader& memory, uint64_t chunk) {
  auto word = memory.word(chunk + size_field);
  return word ? std::optional(read_chunk_head(*word)) : std::nullopt;
}

// Neighbouring mappings of plain memory as one: mprotect and madvise take them apart.
struct Extent {
  uint64_t start = 0, end = 0;
  bool holds(uint64_t address) const { return address >= start && address < end; }
};

Extent extent_of(const std::vector<TargetMapping>& mappings, auto is_wanted) {
  Extent extent;
  for (const TargetMapping& mapping : mappings) {
    if (!is_plain_memory(mapping)) continue;
    if (extent.end != 0 && mapping.start == extent.end && mapping.path == "[heap]") {
      extent.end = mapping.end;
    } else if (extent.end == 0 && is_wanted(mapping)) {
      extent = {mapping.start, mapping.end};
    }
  }
  return extent;
}

// What sbrk() gave. Cores do not name it: there it is where the rest of the memory lies.
Extent find_brk_extent(HeapSearch& search, uint64_t top) {
  const auto& mappings = search.target.mappings();
  Extent extent = extent_of(mappings, [](const TargetMapping& mapping) { return mapping.path == "[heap]"; });
  if (extent.end != 0) return extent;
  return extent_of(mappings, [&](const TargetMapping& mapping) { return mapping.start <= top && top < mapping.end; });
}

// Where the first chunk lies: malloc keeps it, and it is the beginning of what sbrk() gave, or what malloc has in all
// before the end.
uint64_t find_start(HeapSearch& search, const Extent& extent, uint64_t top_end) {
  const uint64_t counted = top_end - search.layout.arenas.front().state.system_bytes;
  for (uint64_t start : {extent.start, counted}) {
    search.layout.parameters = find_malloc_parameters(search.libc_data, start);
    if (search.layout.parameters) return start;
  }
  search.layout.notes.emplace_back(
      "what malloc keeps for all arenas was not found: blocks with mappings of their own may be missing");
  return extent.holds(counted) ? counted : extent.start;
}

void add_main_regions(HeapSearch& search) {
  const MallocState state = search.layout.arenas.front().state;
  if (state.has_no_memory()) return;
  auto top = head_at(search.memory, state.top);
  const Extent extent = find_brk_extent(search, state.top);
  const bool is_inside = extent.holds(state.top);
  uint64_t end = extent.end;
  if (top && is_inside && top->size <= extent.end - state.top && top->size >= chunk_header) end = state.top + top->size;
  const uint64_t start = find_start(search, extent, end);
  if (start < end) search.layout.regions.push_back({aligned_up(start, chunk_alignment), end, extent.end, start, 0});
  if (is_inside) return;
  // Where brk finds no room, the main arena takes mappings.
  const Extent other = extent_of(search.target.mappings(), [&](const TargetMapping& mapping) {
    return mapping.start <= state.top && state.top < mapping.end;
  });
  if (other.end == 0 || !top || top->size > other.end - state.top) {
    search.add_break(
        state.top, 0,
        fmt::format("the rest of the main arena's memory is said to be at {:#x}, where none can be", state.top));
    return;
  }
  search.layout.regions.push_back({other.start, state.top + top->size, other.end, other.start, 0});
}

// The first piece of an arena's memory holds its malloc_state behind the header.
struct HeapShape {
  uint64_t most_size = 0, header = 0;
};
std::optional<HeapShape> shape_of_heaps(HeapSearch& search) {
  for (size_t i = 1; i < search.layout.arenas.size(); ++i) {
    const uint64_t arena = search.layout.arenas[i].state.address;
    auto fits = [&](uint64_t bits) -> std::optional<HeapShape> {
      const uint64_t base = arena & ~((uint64_t{1} << bits) - 1);
      auto info = heap_info_at(search.memory, base);
      if (!info || info->arena != arena || arena - base < heap_info_size || arena - base > most_heap_header) return {};
      return HeapShape{uint64_t{1} << bits, arena - base};
    };
    if (auto shape = fits(usual_heap_bits)) return shape;
    for (uint64_t bits = least_heap_bits; bits <= most_heap_bits; ++bits)
      if (auto shape = fits(bits)) return shape;
  }
  return {};
}

void add_other_regions(HeapSearch& search) {
  auto shape = shape_of_heaps(search);
  if (!shape) return;
  search.other_arenas_header = shape->header;
  std::unordered_map<uint64_t, uint32_t> arenas;
  for (uint32_t i = 1; i < search.layout.arenas.size(); ++i) arenas[search.layout.arenas[i].state.address] = i;
  for (const TargetMapping& mapping : search.target.mappings()) {
    if (!is_plain_memory(mapping) || !mapping.path.empty()) continue;
    for (uint64_t base = aligned_up(mapping.start, shape->most_size); base < mapping.end; base += shape->most_size) {
      auto info = heap_info_at(search.memory, base);
      auto arena = info ? arenas.find(info->arena) : arenas.end();
      if (arena == arenas.end() || info->size > shape->most_size) continue;
      const bool is_first = info->arena - base == shape->header;
      const uint64_t start = base + shape->header + (is_first ? search.layout.arenas[arena->second].state.size : 0);
      search.layout.regions.push_back(
          {aligned_up(start, chunk_alignment), base + info->size, base + shape->most_size, base, arena->second});
    }
  }
}

// What an arena got from the kernel is the sum of its pieces; if not, some were not found.
void compare_with_counts(HeapSearch& search) {
  std::vector<uint64_t> found(search.layout.arenas.size());
  for (const HeapRegion& region : search.layout.regions) found[region.arena] += region.end - region.base;
  for (size_t i = 0; i < found.size(); ++i) {
    const MallocState& state = search.layout.arenas[i].state;
    if (found[i] >= state.system_bytes) continue;
    search.layout.notes.push_back(fmt::format("{} of the arena at {:#x} were not found: it has {} in all",
                                              bytes_in_words(state.system_bytes - found[i]), state.address,
                                              bytes_in_words(state.system_bytes)));
  }
}

}  // namespace

void find_regions(HeapSearch& search) {
  add_main_regions(search);
  add_other_regions(search);
  auto& regions = search.layout.regions;
  std::ranges::sort(regions, {}, &HeapRegion::start);
  std::erase_if(regions, [](const HeapRegion& region) { return region.start >= region.end; });
  for (size_t i = 1; i < regions.size(); ++i)  // damaged sizes
    regions[i - 1].end = std::min(regions[i - 1].end, regions[i].base);
  compare_with_counts(search);
}

}  // namespace culprit
