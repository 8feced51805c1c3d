#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "analysis/heap_layout_parts.h"

namespace culprit {

namespace {

constexpr uint64_t least_tls = 4096, most_tls = 256 << 10;  // searched below a thread's control block

// What the thread-local variables of all modules take, and some more for those loaded later.
uint64_t size_of_thread_variables(Target& target) {
  constexpr uint32_t segment_tls = 7;
  uint64_t size = least_tls;
  for (const TargetModule& module : target.modules())
    for (const ElfSegment& segment : module.segments)
      if (segment.type == segment_tls)
        size += std::min(segment.memory_size, most_tls) + std::min<uint64_t>(segment.alignment, 4096);
  return std::min(size, most_tls);
}

class ListReader {
 public:
  explicit ListReader(HeapSearch& search) : search_(search) {}

  void read_all() {
    find_caches();
    decide_protection();
    for (const auto& [cache, owner] : caches_)
      for (size_t list = 0; list < cache.lists; ++list) follow_cache(cache, owner, list);
    for (uint32_t arena = 0; arena < search_.layout.arenas.size(); ++arena) {
      for (size_t list = 0; list < MallocState::fast_count; ++list) follow_fast_bin(arena, list);
      check_bins(arena);
    }
    std::ranges::sort(search_.layout.listed, {}, &ListedChunk::chunk);
  }

 private:
  std::optional<ThreadCache> cache_at(uint64_t block);
  std::optional<HeapThreadCache> cache_of(const TargetThread& thread, uint64_t window);
  void find_caches();
  void find_cache_of_ended_main_thread();
  void decide_protection();
  bool is_consistent(const ThreadCache& cache, size_t list, bool is_protected);
  void follow_cache(const ThreadCache& cache, const HeapThreadCache& owner, size_t list);
  void follow_fast_bin(uint32_t arena, size_t list);
  void check_bins(uint32_t arena);
  bool has_size(uint64_t chunk, ThreadCache::Sizes sizes) {
    auto word = search_.memory.word(chunk + size_field);
    return word && sizes.hold(read_chunk_head(*word).size);
  }
  uint32_t arena_of(uint64_t address) const {
    const HeapRegion* region = search_.layout.region_at(address);
    return region == nullptr ? 0 : region->arena;
  }
  // False, and told: it is in a list already.
  bool add(uint64_t chunk, FreeListKind kind, uint32_t arena, const std::string& list, bool is_busy = false);

  HeapSearch& search_;
  std::vector<std::pair<ThreadCache, HeapThreadCache>> caches_;
  std::unordered_set<uint64_t> seen_;
  uint64_t usual_offset_ = 0;  // of the pointer to the cache, below the control block: the same in all threads
  bool is_protected_ = true;
};

std::optional<ThreadCache> ListReader::cache_at(uint64_t block) {
  if (block % chunk_alignment != 0 || search_.layout.region_at(block) == nullptr) return {};
  auto word = search_.memory.word(block - size_field);
  if (!word) return {};
  const uint64_t size = read_chunk_head(*word).size;
  if (std::ranges::find(thread_cache_chunks, size) == thread_cache_chunks.end()) return {};
  std::vector<std::byte> bytes(size - size_field);
  if (!search_.memory.read(block, bytes)) return {};
  auto cache = read_thread_cache(size, bytes);
  if (!cache || cache->is_empty()) return cache;
  for (size_t list = 0; list < cache->lists; ++list)
    if (cache->entries[list] != 0 && has_size(cache->entries[list] - chunk_header, ThreadCache::sizes_of(list)))
      return cache;
  return {};
}

std::optional<HeapThreadCache> ListReader::cache_of(const TargetThread& thread, uint64_t window) {
  const uint64_t control = thread.registers.fs_base;
  if (thread.known != RegistersKnown::all || control < window) return {};
  auto take = [&](uint64_t offset) -> std::optional<HeapThreadCache> {
    auto block = search_.memory.word(control - offset);
    auto cache = block ? cache_at(*block) : std::nullopt;
    if (!cache) return {};
    const HeapThreadCache found{*block, thread.tid, cache->is_changing || search_.is_at(thread, *block)};
    caches_.emplace_back(*cache, found);
    return found;
  };
  if (usual_offset_ != 0)
    if (auto found = take(usual_offset_)) return found;
  std::vector<uint64_t> words(window / 8);
  while (!words.empty() && !search_.memory.read(control - 8 * words.size(), std::as_writable_bytes(std::span(words))))
    words.resize(words.size() / 2);
  for (size_t i = words.size(); i-- > 0;) {
    const uint64_t offset = 8 * (words.size() - i);
    if (!cache_at(words[i])) continue;
    usual_offset_ = offset;
    return take(offset);
  }
  return {};
}

void ListReader::find_caches() {
  const uint64_t window = size_of_thread_variables(search_.target);
  size_t without_registers = 0;
  for (const TargetThread& thread : search_.threads) {
    if (thread.known != RegistersKnown::all) ++without_registers;
    if (auto found = cache_of(thread, window)) search_.layout.caches.push_back(*found);
  }
  find_cache_of_ended_main_thread();
  if (without_registers != 0)
    search_.layout.notes.push_back(fmt::format(
        "of {} threads the registers are not known: free blocks that they keep for themselves count as in use",
        without_registers));
  // Who has none in glibc 2.43, which has no fast bins either, has not freed anything yet.
  const bool has_one = search_.layout.arenas.front().state.size == MallocState::most_bytes;
  if (has_one && caches_.empty() && without_registers == 0 && !search_.layout.regions.empty())
    search_.layout.notes.emplace_back(
        "the lists of free blocks that threads keep for themselves were not found: such blocks count as in use");
}

// A thread gives what it keeps back when it ends; but the main one does not, where it calls pthread_exit() while others
// live (csu/libc-start.c). Its cache is the first block that this process ever asked for.
void ListReader::find_cache_of_ended_main_thread() {
  const uint32_t main = search_.target.info().pid;
  const bool lives = std::ranges::find(search_.threads, main, &TargetThread::tid) != search_.threads.end();
  const auto region = std::ranges::find(search_.layout.regions, 0u, &HeapRegion::arena);
  if (lives || search_.threads.empty() || region == search_.layout.regions.end()) return;
  const uint64_t block = region->start + chunk_header;
  auto cache = cache_at(block);
  if (!cache) return;
  const HeapThreadCache found{block, main, cache->is_changing};
  caches_.emplace_back(*cache, found);
  search_.layout.caches.push_back(found);
}

bool ListReader::is_consistent(const ThreadCache& cache, size_t list, bool is_protected) {
  uint64_t block = cache.entries[list];
  for (uint16_t i = 0; i < cache.counts[list]; ++i) {
    if (block == 0 || !has_size(block - chunk_header, ThreadCache::sizes_of(list))) return false;
    auto link = search_.memory.word(block);
    if (!link) return false;
    block = reveal_link(block, *link, is_protected);
  }
  return block == 0;
}

// glibc 2.32 protected the links; which it is, the lists themselves tell.
void ListReader::decide_protection() {
  size_t with = 0, without = 0;
  for (const auto& [cache, owner] : caches_) {
    for (size_t list = 0; list < cache.lists && with + without < 64; ++list) {
      if (cache.counts[list] == 0) continue;
      with += is_consistent(cache, list, true) ? 1 : 0;
      without += is_consistent(cache, list, false) ? 1 : 0;
    }
  }
  is_protected_ = with >= without;
}

bool ListReader::add(uint64_t chunk, FreeListKind kind, uint32_t arena, const std::string& list, bool is_busy) {
  if (seen_.insert(chunk).second) {
    search_.layout.listed.push_back({chunk, kind});
    return true;
  }
  search_.add_break(chunk, arena,
                    fmt::format("the free block at {:#x} is twice in the lists of free blocks, the second time in {}: "
                                "it was freed twice, or written to after it was freed",
                                chunk + chunk_header, list),
                    is_busy);
  return false;
}

void ListReader::follow_cache(const ThreadCache& cache, const HeapThreadCache& owner, size_t list) {
  const ThreadCache::Sizes sizes = ThreadCache::sizes_of(list);
  uint64_t block = cache.entries[list];
  for (uint16_t i = 0; i < cache.counts[list]; ++i) {
    const uint64_t chunk = block - chunk_header;
    const auto name = [&] {
      return fmt::format("the cache of thread {} for {} bytes", owner.tid, sizes.least - size_field);
    };
    if (block % chunk_alignment != 0 || search_.layout.region_at(chunk) == nullptr || !has_size(chunk, sizes)) {
      search_.add_break(
          chunk, arena_of(owner.block),
          fmt::format("{} leads to {:#x}, which is no such block: a block was written to after it was freed", name(),
                      block),
          owner.is_busy);
      return;
    }
    if (!add(chunk, FreeListKind::thread_cache, arena_of(chunk), name(), owner.is_busy)) return;
    auto link = search_.memory.word(block);
    if (!link) return;
    block = reveal_link(block, *link, is_protected_);
  }
}

void ListReader::follow_fast_bin(uint32_t arena, size_t list) {
  const uint64_t size = least_chunk + list * chunk_alignment;
  uint64_t chunk = search_.layout.arenas[arena].state.fast[list];
  while (chunk != 0) {
    const auto name = [&] { return fmt::format("the fast bin for {} bytes", size - size_field); };
    if (chunk % chunk_alignment != 0 || search_.layout.region_at(chunk) == nullptr || !has_size(chunk, {size, size})) {
      search_.add_break(
          chunk, arena,
          fmt::format("{} leads to {:#x}, which is no such block: a block was written to after it was freed", name(),
                      chunk + chunk_header));
      return;
    }
    if (!add(chunk, FreeListKind::fast_bin, arena, name())) return;
    auto link = search_.memory.word(chunk + chunk_header);
    if (!link) return;
    chunk = reveal_link(chunk + chunk_header, *link, is_protected_);
  }
}

void ListReader::check_bins(uint32_t arena) {
  for (const MallocState::Bin& bin : search_.layout.arenas[arena].state.bins) {
    if (bin.is_empty()) continue;
    const bool first_fits = search_.memory.word(bin.first + 24) == bin.head;
    const bool last_fits = search_.memory.word(bin.last + 16) == bin.head;
    if (first_fits && last_fits) continue;
    const uint64_t chunk = first_fits ? bin.last : bin.first;
    search_.add_break(chunk, arena,
                      fmt::format("the free block at {:#x} is at an end of a bin and does not point back to it: it was "
                                  "written to after it was freed",
                                  chunk + chunk_header));
  }
}

}  // namespace

void find_free_lists(HeapSearch& search) { ListReader(search).read_all(); }

}  // namespace culprit
