#include "analysis/heap_collector.h"

#include <algorithm>

namespace culprit {

TypeHints::TypeHints(const std::vector<TargetModule>& modules) {
  for (const TargetModule& module : modules) {
    modules_.push_back({module.start, module.end});
    least_ = std::min(least_, module.start);
    most_ = std::max(most_, module.end);
  }
}

bool TypeHints::is_in_module(uint64_t address) const {
  if (address < least_ || address >= most_ || address % 8 != 0) return false;
  auto after = std::ranges::upper_bound(modules_, address, {}, &AddressRange::start);
  return after != modules_.begin() && address < std::prev(after)->end;
}

TypeHint TypeHints::hint_of(Bytes first, uint64_t size) const {
  uint64_t words[2];
  if (first.size() < sizeof words) return {};
  std::memcpy(words, first.data(), sizeof words);
  if (is_in_module(words[0])) return {words[0], false};
  const bool may_count = words[0] != 0 && words[0] <= size / 8;
  return may_count && is_in_module(words[1]) ? TypeHint{words[1], true} : TypeHint{};
}

namespace {

std::vector<HeapArenaReport> arenas_of(const HeapLayout& layout) {
  std::vector<HeapArenaReport> arenas;
  for (const HeapArena& arena : layout.arenas)
    arenas.push_back({.address = arena.state.address,
                      .is_main = arenas.empty(),
                      .is_busy = arena.is_busy,
                      .committed = arena.state.system_bytes,
                      .threads = arena.state.attached_threads});
  for (const HeapRegion& region : layout.regions) {
    ++arenas[region.arena].pieces;
    arenas[region.arena].reserved += region.reserved_end - region.base;
  }
  return arenas;
}

}  // namespace

HeapCollector::HeapCollector(const HeapLayout& layout, const HeapQuestion& question,
                             const std::vector<TargetModule>& modules)
    : arenas(arenas_of(layout)),
      question_(question),
      hints_(modules),
      keeps_table_(question.ask == HeapAsk::block || question.ask == HeapAsk::unreachable) {
  if (question.ask == HeapAsk::by_size) small_sizes.resize(small / chunk_alignment);
  if (!question.arena) return;
  for (uint32_t i = 0; i < arenas.size(); ++i)
    if (*question.arena == i || *question.arena == arenas[i].address) arena_ = i;
}

bool HeapCollector::is_wanted(const HeapBlock& block) const {
  if (arena_ && (block.is_mmapped || block.arena != *arena_)) return false;
  if (!question_.size) return block.size >= question_.least && block.size <= question_.most;
  if (!block.is_mmapped) return block.size == usable_size_for(*question_.size);
  return block.size >= *question_.size && block.size - *question_.size < 4096;
}

void HeapCollector::count(const HeapBlock& block) {
  if (block.is_in_use()) in_use.add(block.size);
  if (block.is_mmapped) return own_blocks.add(block.chunk_size);
  HeapArenaReport& arena = arenas[block.arena];
  switch (block.state) {
    case HeapBlockState::in_use:
      arena.in_use.add(block.chunk_size);
      break;
    case HeapBlockState::cached:
      arena.cached.add(block.chunk_size);
      break;
    case HeapBlockState::fast:
      arena.fast.add(block.chunk_size);
      break;
    case HeapBlockState::top:
      arena.top += block.chunk_size;
      break;
    case HeapBlockState::free:
      arena.free.add(block.chunk_size);
      arena.largest_free = std::max(arena.largest_free, block.chunk_size);
      break;
  }
}

void HeapCollector::take_links(const HeapBlock& block, Bytes first) {
  FreeLinks taken{.chunk = block.chunk(), .arena = block.arena};
  if (block.state != HeapBlockState::free || first.size() < 16) return;
  std::memcpy(&taken.next, first.data(), 8);
  std::memcpy(&taken.previous, first.data() + 8, 8);
  links.push_back(taken);
}

bool HeapCollector::add(const HeapBlock& block, Bytes first) {
  count(block);
  take_links(block, first);
  if (keeps_table_) (block.is_in_use() ? table : free_blocks).add(block.address, block.size);
  if (!block.is_in_use() || !is_wanted(block)) return true;
  matched.add(block.size);
  if (question_.ask == HeapAsk::by_size) {
    (block.size < small ? small_sizes[block.size / chunk_alignment] : large_sizes[block.size]).add(block);
  } else if (question_.ask == HeapAsk::by_type) {
    const TypeHint hint = hints_.hint_of(first, block.size);
    if (hint.table == 0)
      untyped.add(block.size);
    else
      types[hint].add(block);
  } else if (question_.ask == HeapAsk::list && blocks.size() < question_.kept) {
    blocks.push_back(block);
  }
  return true;
}

}  // namespace culprit
