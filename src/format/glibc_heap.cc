#include "format/glibc_heap.h"

#include <algorithm>

namespace culprit {

namespace {

constexpr uint64_t page = 4096;
constexpr uint64_t end_of_user_space = uint64_t{1} << 47;
constexpr size_t most_damaged_bins = 4;

// Offsets in struct malloc_state, up to the top; and from the top on.
constexpr size_t at_mutex = 0, at_flags = 4, at_fast = 16, at_top = 96, at_top_since_2_43 = 8;
constexpr size_t to_bins = 16, to_next = 2064, to_attached = 2080, to_system = 2088, to_most_system = 2096,
                 to_end = 2104;
static_assert(at_top + to_end == MallocState::most_bytes);
constexpr uint32_t noncontiguous_flag = 2;

template <typename Value>
Value value_at(Bytes bytes, size_t offset) {
  Value value{};
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

uint64_t word_at(Bytes bytes, size_t offset) { return value_at<uint64_t>(bytes, offset); }

bool is_chunk_address(uint64_t address) {
  return address != 0 && address % chunk_alignment == 0 && address < end_of_user_space;
}

bool is_size(uint64_t size) { return size < end_of_user_space; }
bool is_whole_pages(uint64_t size) { return size % page == 0 && is_size(size); }

bool is_whole(const MallocState::Bin& bin) {
  return bin.is_empty() ||
         (bin.first != bin.head && bin.last != bin.head && is_chunk_address(bin.first) && is_chunk_address(bin.last));
}

// The bins tell where the top is: all that follows it is the same, but for its own address.
std::optional<MallocState> read_malloc_state(Bytes bytes, uint64_t address, size_t top) {
  if (bytes.size() < top + to_end) return {};
  MallocState state{.address = address, .size = top + to_end};
  state.next = word_at(bytes, top + to_next);
  state.system_bytes = word_at(bytes, top + to_system);
  state.most_system_bytes = word_at(bytes, top + to_most_system);
  // No whole pages where somebody took memory from sbrk() first, as the start of static programs does.
  if (!is_chunk_address(state.next) || !is_size(state.system_bytes) || !is_size(state.most_system_bytes) ||
      state.system_bytes > state.most_system_bytes)
    return {};
  size_t damaged = 0, empty = 0;
  for (size_t i = 0; i < state.bins.size() && damaged <= most_damaged_bins; ++i) {
    MallocState::Bin& bin = state.bins[i];
    const size_t offset = top + to_bins + 16 * i;
    bin = {address + offset - chunk_header, word_at(bytes, offset), word_at(bytes, offset + 8)};
    // What lies a few bins beside an arena is wrong at the ends only.
    const bool is_end = i == 0 || i + 1 == state.bins.size();
    if (!is_whole(bin)) damaged += is_end ? most_damaged_bins + 1 : 1;
    if (bin.is_empty()) ++empty;
  }
  state.top = word_at(bytes, top);
  if (damaged > most_damaged_bins || empty == 0 || (!state.has_no_memory() && !is_chunk_address(state.top))) return {};
  state.is_locked = value_at<uint32_t>(bytes, at_mutex) != 0;
  state.is_contiguous = (value_at<uint32_t>(bytes, at_flags) & noncontiguous_flag) == 0;
  if (top == at_top)
    for (size_t i = 0; i < state.fast.size(); ++i) state.fast[i] = word_at(bytes, at_fast + 8 * i);
  state.attached_threads = word_at(bytes, top + to_attached);
  return state;
}

}  // namespace

std::optional<MallocState> read_malloc_state(Bytes bytes, uint64_t address) {
  if (address % chunk_alignment != 0) return {};
  auto state = read_malloc_state(bytes, address, at_top);
  return state ? state : read_malloc_state(bytes, address, at_top_since_2_43);
}

std::vector<MallocState> find_malloc_states(Bytes bytes, uint64_t start) {
  std::vector<MallocState> found;
  size_t offset = (chunk_alignment - start % chunk_alignment) % chunk_alignment;
  for (; offset < bytes.size(); offset += chunk_alignment)
    if (auto state = read_malloc_state(bytes.subspan(offset), start + offset)) found.push_back(*state);
  return found;
}

std::optional<HeapInfo> read_heap_info(Bytes bytes) {
  if (bytes.size() < heap_info_size) return {};
  HeapInfo info{word_at(bytes, 0), word_at(bytes, 8), word_at(bytes, 16), word_at(bytes, 24)};
  if (!is_chunk_address(info.arena) || info.previous % page != 0 || info.size == 0 || !is_whole_pages(info.size) ||
      !is_whole_pages(info.most_size) || info.size > info.most_size)
    return {};
  return info;
}

bool ThreadCache::is_empty() const {
  return std::ranges::all_of(counts, [](uint16_t count) { return count == 0; });
}

std::optional<ThreadCache> read_thread_cache(uint64_t chunk_size, Bytes block) {
  const auto known = std::ranges::find(thread_cache_chunks, chunk_size);
  if (known == thread_cache_chunks.end()) return {};
  const bool counts_room = known == thread_cache_chunks.end() - 1;  // since 2.42
  const size_t width = known == thread_cache_chunks.begin() ? 1 : 2;
  ThreadCache cache{.lists = counts_room ? ThreadCache::most_lists : ThreadCache::small_lists};
  if (block.size() < cache.lists * (width + 8)) return {};
  for (size_t i = 0; i < cache.lists; ++i) {
    cache.counts[i] = width == 2 ? value_at<uint16_t>(block, 2 * i) : value_at<uint8_t>(block, i);
    cache.entries[i] = word_at(block, cache.lists * width + 8 * i);
    if (cache.entries[i] != 0 && !is_chunk_address(cache.entries[i])) return {};
  }
  if (counts_room) {  // all lists have the same, and some are empty
    const uint16_t room = std::ranges::max(cache.counts);
    if (room == 0) return {};
    for (size_t i = 0; i < cache.lists; ++i) cache.counts[i] = room - cache.counts[i];
  }
  size_t disagreeing = 0;
  for (size_t i = 0; i < cache.lists; ++i) disagreeing += (cache.counts[i] == 0) != (cache.entries[i] == 0);
  if (disagreeing > 1) return {};
  cache.is_changing = disagreeing == 1;
  return cache;
}

// struct malloc_par: … int n_mmaps, n_mmaps_max, max_n_mmaps, no_dyn_threshold; size_t mmapped_mem, max_mmapped_mem;
// char* sbrk_base; … Before the four there is another int since 2.35, so that they end with a gap of 4 bytes.
std::optional<MallocParameters> find_malloc_parameters(Bytes bytes, uint64_t heap_start) {
  constexpr size_t before = 40;  // of what is looked at
  for (size_t at = before; at + 8 <= bytes.size(); at += 8) {
    const uint64_t start = word_at(bytes, at);
    if (start != heap_start) continue;
    const uint64_t mmapped = word_at(bytes, at - 16), most_mmapped = word_at(bytes, at - 8);
    if (!is_whole_pages(mmapped) || !is_whole_pages(most_mmapped) || mmapped > most_mmapped) continue;
    for (size_t gap : {size_t{4}, size_t{0}}) {
      const size_t counts = at - 32 - gap;
      const auto blocks = value_at<uint32_t>(bytes, counts), most_at_a_time = value_at<uint32_t>(bytes, counts + 4),
                 most_seen = value_at<uint32_t>(bytes, counts + 8), is_fixed = value_at<uint32_t>(bytes, counts + 12);
      const bool fits = blocks <= most_seen && most_seen <= most_at_a_time && is_fixed <= 1 &&
                        (blocks == 0) == (mmapped == 0) && mmapped / page >= blocks;
      if (fits) return MallocParameters{blocks, mmapped, start};
    }
  }
  return {};
}

}  // namespace culprit
