#include "analysis/heap_walk.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "analysis/heap_words.h"

namespace culprit {

namespace {

constexpr size_t most_breaks = 64;            // of a region
constexpr uint64_t most_searched = 64 << 20;  // bytes, of a region, for where it goes on
constexpr uint64_t convincing = 8;            // chunks in a row that fit together
constexpr size_t most_looks = 32;             // at a place where a heap that moves does not fit together
constexpr uint64_t fence = 16;                // the size of what glibc puts behind the last chunk of a piece
constexpr uint64_t most_fences = 64;          // bytes of them, with what is too small to be a chunk

struct Chunk {
  uint64_t at = 0;
  uint64_t previous_size = 0;  // if that is free
  uint64_t word = 0;
  ChunkHead head;
  size_t first_size = 0;
  std::byte first[chunk_header];  // of the block

  uint64_t next() const { return at + head.size; }
};

class RegionWalk {
 public:
  RegionWalk(const HeapLayout& layout, const HeapRegion& region, MemoryWindow& window, const HeapVisitor& visit,
             HeapWalkResult& result)
      : region_(region),
        arena_(layout.arenas[region.arena]),
        is_moving_(layout.is_moving),
        window_(window),
        visit_(visit),
        result_(result),
        listed_(std::ranges::lower_bound(layout.listed, region.start, {}, &ListedChunk::chunk)),
        listed_end_(layout.listed.end()) {}

  // From the beginning, or from behind a block on. False: no more is wanted.
  bool run(const std::optional<HeapBlock>& from = {});
  const std::optional<HeapBlock>& last() const { return last_; }

 private:
  std::optional<Chunk> chunk_at(uint64_t address);
  std::optional<std::string> fault_of(const Chunk& chunk) const;
  std::optional<std::string> fault_between(const Chunk& chunk, const Chunk& next) const;
  bool is_top(uint64_t address) const { return address == arena_.state.top; }
  bool is_last_fence(const Chunk& chunk) const {
    return chunk.head.size <= fence && region_.end - chunk.at <= most_fences;
  }
  // What others got from sbrk() begins behind two fences.
  bool is_foreign_border(const Chunk& chunk);
  bool step(Chunk& chunk);
  bool visit_top(uint64_t address);
  bool is_as_booked(const Chunk& top) const;
  bool show(const Chunk& chunk, HeapBlockState state);
  HeapBlockState state_of(const Chunk& chunk, bool is_in_use);
  // From `from` on; nothing: nowhere.
  std::optional<Chunk> search(uint64_t from);
  bool is_convincing(Chunk chunk);
  // Goes on behind the damage; false: there is nothing more.
  bool resume(Chunk& chunk, uint64_t from, std::string what);
  bool skip_foreign(Chunk& chunk);
  bool is_under_change() const { return is_moving_ || arena_.is_busy; }
  // Once more from the last block on, as it is now.
  bool look_again(Chunk& chunk);

  const HeapRegion& region_;
  const HeapArena& arena_;
  const bool is_moving_;
  MemoryWindow& window_;
  const HeapVisitor& visit_;
  HeapWalkResult& result_;
  std::vector<ListedChunk>::const_iterator listed_, listed_end_;
  std::optional<HeapBlock> last_;
  size_t open_break_ = SIZE_MAX;  // the break whose `after` is the next block
  size_t breaks_ = 0, looks_ = 0;
  uint64_t searched_ = 0;
  bool goes_on_ = true;
};

std::optional<Chunk> RegionWalk::chunk_at(uint64_t address) {
  const std::byte* bytes = window_.at(address, least_chunk, region_.end);
  const size_t first_size = bytes != nullptr ? chunk_header : 0;
  if (bytes == nullptr) bytes = window_.at(address, chunk_header, region_.end);
  if (bytes == nullptr) return {};
  Chunk chunk{.at = address, .first_size = first_size};
  std::memcpy(&chunk.previous_size, bytes, 8);
  std::memcpy(&chunk.word, bytes + size_field, 8);
  std::memcpy(chunk.first, bytes + chunk_header, first_size);
  chunk.head = read_chunk_head(chunk.word);
  return chunk;
}

std::optional<std::string> RegionWalk::fault_of(const Chunk& chunk) const {
  const ChunkHead& head = chunk.head;
  const bool fits = head.size >= least_chunk && head.size % chunk_alignment == 0 &&
                    head.size <= region_.end - chunk.at && !head.is_mmapped;
  if (fits) return {};
  return fmt::format("the word before the block at {:#x} is no size of a block: {}", chunk.at + chunk_header,
                     word_in_words(chunk.word));
}

std::optional<std::string> RegionWalk::fault_between(const Chunk& chunk, const Chunk& next) const {
  if (next.head.is_previous_in_use || next.previous_size == chunk.head.size) return {};
  return fmt::format("the block at {:#x} is free with {:#x} bytes, but behind it stands {}", chunk.at + chunk_header,
                     chunk.head.size, word_in_words(next.previous_size));
}

HeapBlockState RegionWalk::state_of(const Chunk& chunk, bool is_in_use) {
  if (!is_in_use) return HeapBlockState::free;
  while (listed_ != listed_end_ && listed_->chunk < chunk.at) ++listed_;
  if (listed_ == listed_end_ || listed_->chunk != chunk.at) return HeapBlockState::in_use;
  return listed_->kind == FreeListKind::fast_bin ? HeapBlockState::fast : HeapBlockState::cached;
}

bool RegionWalk::show(const Chunk& chunk, HeapBlockState state) {
  HeapBlock block{chunk.at + chunk_header, usable_size(chunk.head), chunk.head.size, state, false, region_.arena};
  if (open_break_ < result_.breaks.size()) result_.breaks[open_break_].after = block;
  open_break_ = SIZE_MAX;
  last_ = block;
  looks_ = 0;
  goes_on_ = visit_(block, Bytes(chunk.first, chunk.first_size));
  return goes_on_;
}

// That malloc's books say the same shows that nobody wrote there: the program's break has just been moved, by malloc
// itself, in the middle of which a process of one thread holds no lock.
bool RegionWalk::is_as_booked(const Chunk& top) const {
  return region_.arena == 0 && top.at + top.head.size - region_.base == arena_.state.system_bytes;
}

bool RegionWalk::visit_top(uint64_t address) {
  auto top = chunk_at(address);
  if (!top) return false;
  const uint64_t size = region_.end - address;
  if (top->head.size != size && ++breaks_ <= most_breaks) {
    result_.breaks.push_back({.chunk = address,
                              .arena = region_.arena,
                              .is_under_change = is_under_change() || is_as_booked(*top),
                              .what = fmt::format("the rest of the arena's memory at {:#x} has {:#x} bytes, but its "
                                                  "size is {}",
                                                  address, size, word_in_words(top->word)),
                              .before = last_});
  }
  top->head.size = size;
  show(*top, HeapBlockState::top);
  return false;
}

bool RegionWalk::is_convincing(Chunk chunk) {
  for (uint64_t fitting = 0; fitting < convincing; ++fitting) {
    if (is_top(chunk.at) || is_last_fence(chunk)) return true;
    if (fault_of(chunk)) return false;
    if (chunk.next() == region_.end) return true;
    auto next = chunk_at(chunk.next());
    if (!next || (!is_top(next->at) && fault_between(chunk, *next))) return false;
    chunk = *next;
  }
  return true;
}

std::optional<Chunk> RegionWalk::search(uint64_t from) {
  for (uint64_t at = from; at + least_chunk <= region_.end && searched_ < most_searched; at += chunk_alignment) {
    searched_ += chunk_alignment;
    auto chunk = chunk_at(at);
    if (!chunk) {  // part of it is not there
      at |= 0xff0;
      continue;
    }
    if (chunk->head.size >= least_chunk && is_convincing(*chunk)) return chunk;
  }
  const uint64_t top = arena_.state.top;
  return top >= from && top < region_.end ? chunk_at(top) : std::nullopt;
}

bool RegionWalk::look_again(Chunk& chunk) {
  if (!is_moving_ || ++looks_ > most_looks) return false;
  window_.forget();
  auto last = last_ ? chunk_at(last_->chunk()) : std::nullopt;
  auto next = last && !fault_of(*last) ? chunk_at(last->next()) : chunk_at(chunk.at);
  if (!next || next->at < chunk.at) return false;
  chunk = *next;
  return true;
}

bool RegionWalk::resume(Chunk& chunk, uint64_t from, std::string what) {
  if (look_again(chunk)) return true;
  HeapBreak found{.chunk = chunk.at,
                  .arena = region_.arena,
                  .is_under_change = is_under_change(),
                  .what = std::move(what),
                  .before = last_};
  auto next = breaks_ < most_breaks ? search(from) : std::nullopt;
  found.skipped = (next ? next->at : region_.end) - chunk.at;
  result_.skipped_bytes += found.skipped;
  if (++breaks_ <= most_breaks) {
    open_break_ = next ? result_.breaks.size() : SIZE_MAX;
    result_.breaks.push_back(std::move(found));
  } else {
    ++result_.breaks_left_out;
  }
  if (next) chunk = *next;
  return next.has_value();
}

bool RegionWalk::is_foreign_border(const Chunk& chunk) {
  if (region_.arena != 0 || chunk.head.size != fence) return false;
  auto second = chunk_at(chunk.at + fence);
  return second && second->head.size == fence && second->head.is_previous_in_use;
}

bool RegionWalk::skip_foreign(Chunk& chunk) {
  auto next = search(chunk.at + 2 * fence);
  result_.foreign_bytes += (next ? next->at : region_.end) - chunk.at;
  if (next) chunk = *next;
  return next.has_value();
}

// To the next chunk; false: there is none, or no more is wanted.
bool RegionWalk::step(Chunk& chunk) {
  if (is_top(chunk.at)) return visit_top(chunk.at);
  if (is_last_fence(chunk)) return false;
  if (is_foreign_border(chunk)) return skip_foreign(chunk);
  if (auto fault = fault_of(chunk)) return resume(chunk, chunk.at + chunk_alignment, std::move(*fault));
  if (chunk.next() == region_.end) return show(chunk, state_of(chunk, true)), false;
  auto next = chunk_at(chunk.next());
  if (!next) return resume(chunk, chunk.next(), "what is behind it cannot be read");
  if (auto fault = fault_between(chunk, *next)) return resume(chunk, chunk.next(), std::move(*fault));
  if (!show(chunk, state_of(chunk, next->head.is_previous_in_use))) return false;
  chunk = *next;
  return true;
}

bool RegionWalk::run(const std::optional<HeapBlock>& from) {
  const uint64_t start = from ? from->chunk() + from->chunk_size : region_.start;
  if (start >= region_.end) return true;
  last_ = from;
  if (!from) result_.walked_bytes += region_.end - region_.start;
  auto chunk = chunk_at(start);
  if (!chunk) {
    result_.skipped_bytes += region_.end - start;
    result_.breaks.push_back({.chunk = start,
                              .arena = region_.arena,
                              .what = "this part of the heap cannot be read",
                              .skipped = region_.end - start});
    return true;
  }
  while (step(*chunk)) {
  }
  return goes_on_;
}

}  // namespace

HeapBlock block_of(const MmappedChunk& chunk) {
  return {.address = chunk.chunk + chunk_header,
          .size = chunk.usable,
          .chunk_size = chunk.mapped_bytes(),
          .is_mmapped = true};
}

HeapWalkResult walk_region(const HeapLayout& layout, const HeapRegion& region, MemoryReader& memory,
                           const HeapVisitor& visit) {
  HeapWalkResult result;
  MemoryWindow window(memory);
  RegionWalk(layout, region, window, visit, result).run();
  return result;
}

HeapWalkResult walk_heap(const HeapLayout& layout, MemoryReader& memory, const HeapVisitor& visit,
                         const HeapWalkPlace& from) {
  HeapWalkResult result;
  MemoryWindow window(memory);
  const size_t regions = layout.regions.size();
  size_t piece = from.piece;
  for (auto last = from.last; piece < regions; ++piece, last.reset()) {
    RegionWalk walk(layout, layout.regions[piece], window, visit, result);
    if (walk.run(last)) continue;
    result.left_off = {piece, walk.last()};
    return result;
  }
  for (; piece < regions + layout.mmapped.size(); ++piece) {
    const MmappedChunk& chunk = layout.mmapped[piece - regions];
    const HeapBlock block = block_of(chunk);
    if (piece == from.piece && from.last == block) continue;
    const std::byte* first = window.at(block.address, chunk_header, chunk.chunk + chunk.size);
    if (visit(block, first == nullptr ? Bytes{} : Bytes(first, chunk_header))) continue;
    result.left_off = {piece, block};
    break;
  }
  return result;
}

void HeapWalkResult::add(HeapWalkResult more) {
  std::ranges::move(more.breaks, std::back_inserter(breaks));
  breaks_left_out += more.breaks_left_out;
  walked_bytes += more.walked_bytes;
  skipped_bytes += more.skipped_bytes;
  foreign_bytes += more.foreign_bytes;
  left_off = std::move(more.left_off);
}

}  // namespace culprit
