#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "analysis/heap_layout_parts.h"
#include "analysis/heap_words.h"
#include "analysis/memory_window.h"

namespace culprit {

namespace {

constexpr uint64_t page = 4096;
constexpr uint64_t most_pages = 1 << 20;  // looked at one by one

// Plain memory, with nothing of an arena.
struct Piece {
  uint64_t start, end;
};

// What follows the size that is said, up to the end of the mapping: since glibc 2.43 the size leaves out the header, as
// that of other blocks does where the header of the next one begins.
std::optional<uint64_t> rest_behind(uint64_t said, uint64_t lead) {
  for (uint64_t rest : {uint64_t{0}, chunk_header})
    if ((lead + said + rest) % page == 0) return rest;
  return {};
}

MmappedChunk chunk_of(uint64_t mapping_start, uint64_t lead, uint64_t said, uint64_t rest) {
  const uint64_t overhead = rest == 0 ? chunk_header : size_field;
  return {mapping_start + lead, said + rest, mapping_start, said > overhead ? said - overhead : 0};
}

// A block whose alignment was asked for begins later in its mapping; its header tells how far.
MmappedChunk moved_by_alignment(MemoryReader& memory, MmappedChunk whole) {
  for (uint64_t alignment = 2 * chunk_alignment; alignment < whole.size; alignment *= 2) {
    const uint64_t block = (whole.mapping_start + chunk_header + alignment - 1) / alignment * alignment;
    const uint64_t lead = block - chunk_header - whole.mapping_start;
    if (lead == 0 || lead >= whole.size) continue;
    auto gap = memory.word(whole.mapping_start + lead), word = memory.word(whole.mapping_start + lead + size_field);
    if (!gap || !word || *gap != lead) continue;
    const ChunkHead head = read_chunk_head(*word);
    auto rest = rest_behind(head.size, lead);
    const bool fits = head.is_mmapped && !head.is_previous_in_use && rest && lead + head.size + *rest == whole.size;
    if (fits) return chunk_of(whole.mapping_start, lead, head.size, *rest);
  }
  return whole;
}

std::optional<MmappedChunk> chunk_at(MemoryReader& memory, uint64_t start, uint64_t end) {
  uint64_t words[2];
  if (end - start < page || !memory.read(start, std::as_writable_bytes(std::span(words)))) return {};
  const ChunkHead head = read_chunk_head(words[1]);
  auto rest = rest_behind(head.size, 0);
  const bool fits = words[0] == 0 && head.is_mmapped && !head.is_previous_in_use && !head.is_of_other_arena &&
                    head.size >= least_chunk && rest && head.size <= end - start - *rest;
  if (!fits) return {};
  return moved_by_alignment(memory, chunk_of(start, 0, head.size, *rest));
}

// From an address on, as many as follow each other.
uint64_t take_row(HeapSearch& search, uint64_t start, uint64_t end) {
  while (start < end) {
    auto chunk = chunk_at(search.memory, start, end);
    if (!chunk) break;
    search.layout.mmapped.push_back(*chunk);
    start += chunk->mapped_bytes();
  }
  return start;
}

bool has_all(const HeapLayout& layout) {
  return !layout.parameters || layout.mmapped.size() >= layout.parameters->mmapped_blocks;
}

// Where a block should begin whose header was overwritten: where memory begins that no other block explains, and which
// has room for what is missing. Told only if there are just as many such places as blocks are missing.
void tell_broken(HeapSearch& search, std::span<const Piece> pieces) {
  const HeapLayout& layout = search.layout;
  uint64_t missing_bytes = layout.parameters->mmapped_bytes;
  for (const MmappedChunk& chunk : layout.mmapped) missing_bytes -= std::min(missing_bytes, chunk.mapped_bytes());
  const uint64_t missing = layout.missing_mmapped(), least = missing == 1 ? std::max(missing_bytes, page) : page;
  std::vector<std::pair<uint64_t, uint64_t>> places;  // and what stands where the size should
  auto consider = [&](uint64_t start, uint64_t end) {
    uint64_t words[2];
    if (start >= end || end - start < least || !search.memory.read(start, std::as_writable_bytes(std::span(words))))
      return;
    if (words[0] == 0 && words[1] != 0) places.emplace_back(start, words[1]);
  };
  for (const Piece& piece : pieces) {
    uint64_t at = piece.start;
    for (const MmappedChunk& chunk : layout.mmapped) {
      if (chunk.mapping_start < at || chunk.mapping_start >= piece.end) continue;
      consider(at, chunk.mapping_start);
      at = chunk.mapping_start + chunk.mapped_bytes();
    }
    consider(at, piece.end);
  }
  if (places.size() != missing) return;
  for (const auto& [place, word] : places)
    search.add_break(place, 0,
                     fmt::format("the word before the block with a mapping of its own at {:#x} is no size of such a "
                                 "block: {}",
                                 place + chunk_header, word_in_words(word)));
}

}  // namespace

void find_mmapped_chunks(HeapSearch& search) {
  HeapLayout& layout = search.layout;
  if (layout.parameters && layout.parameters->mmapped_blocks == 0) return;
  std::vector<Piece> pieces, rest;
  for (const TargetMapping& mapping : search.target.mappings()) {
    if (!is_plain_memory(mapping) || !mapping.path.empty()) continue;
    auto overlaps = [&](const HeapRegion& region) { return region.base < mapping.end && mapping.start < region.end; };
    if (std::ranges::any_of(layout.regions, overlaps)) continue;
    pieces.push_back({mapping.start, mapping.end});
    rest.push_back({take_row(search, mapping.start, mapping.end), mapping.end});
  }
  // The kernel joins mappings: some may begin behind what others have mapped.
  uint64_t looked_at = 0;
  for (const Piece& piece : rest) {
    for (uint64_t start = piece.start; start < piece.end && !has_all(layout) && looked_at < most_pages; ++looked_at) {
      const uint64_t next = take_row(search, start, piece.end);
      start = next == start ? start + page : next;
    }
  }
  std::ranges::sort(layout.mmapped, {}, &MmappedChunk::mapping_start);
  if (!has_all(layout)) tell_broken(search, pieces);
}

}  // namespace culprit
