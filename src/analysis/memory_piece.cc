#include "analysis/memory_piece.h"

#include <algorithm>

namespace culprit {
namespace {

constexpr uint64_t page = 4096;
constexpr uint64_t grain = 8;  // a core's segments end anywhere, but hardly within a word

// [from, to) of the piece, split at multiples of `step` where it cannot be read as a whole.
void read_part(MemoryReader& memory, MemoryPiece& piece, size_t from, size_t to, uint64_t step) {
  while (from < to) {
    uint64_t address = piece.start + from;
    size_t size = std::min<uint64_t>(to - from, step - address % step);
    if (memory.read(address, std::span(piece.bytes).subspan(from, size))) {
      std::fill_n(piece.known.begin() + static_cast<ptrdiff_t>(from), size, true);
    } else if (step > grain) {
      read_part(memory, piece, from, from + size, grain);
    }
    from += size;
  }
}

}  // namespace

MemoryPiece read_memory_piece(MemoryReader& memory, uint64_t start, size_t size) {
  if (start != 0) size = std::min<uint64_t>(size, 0 - start);
  MemoryPiece piece{start, std::vector<std::byte>(size), std::vector<bool>(size)};
  if (size != 0 && memory.read(start, piece.bytes)) {
    piece.known.assign(size, true);
  } else {
    read_part(memory, piece, 0, size, page);
  }
  return piece;
}

}  // namespace culprit
