#include "target/core_memory.h"

#include <algorithm>

namespace culprit {

void CoreMemory::add(std::vector<CorePiece> pieces) {
  std::erase_if(pieces, [](const CorePiece& piece) {
    return piece.bytes.empty() || piece.bytes.size() > UINT64_MAX - piece.start;
  });
  std::ranges::stable_sort(pieces, {}, &CorePiece::start);
  std::vector<CorePiece> gaps;
  auto known = pieces_.begin();
  uint64_t done = 0;  // up to here the new pieces are dealt with
  for (const CorePiece& piece : pieces) {
    uint64_t from = std::max(piece.start, done);
    auto add_gap = [&](uint64_t to) {
      if (from < to) gaps.push_back({from, piece.bytes.subspan(from - piece.start, to - from)});
    };
    while (known != pieces_.end() && known->end() <= from) ++known;
    for (; known != pieces_.end() && known->start < piece.end(); ++known) {
      add_gap(known->start);
      from = std::max(from, known->end());
      if (from >= piece.end()) break;  // the next piece may lie in this one, too
    }
    add_gap(piece.end());
    done = std::max(done, piece.end());
  }
  auto middle = static_cast<std::ptrdiff_t>(pieces_.size());
  pieces_.insert(pieces_.end(), gaps.begin(), gaps.end());
  std::inplace_merge(pieces_.begin(), pieces_.begin() + middle, pieces_.end(),
                     [](const CorePiece& one, const CorePiece& other) { return one.start < other.start; });
}

Bytes CoreMemory::at(uint64_t address) const {
  auto after = std::ranges::upper_bound(pieces_, address, {}, &CorePiece::start);
  if (after == pieces_.begin()) return {};
  const CorePiece& piece = *std::prev(after);
  return address < piece.end() ? piece.bytes.subspan(address - piece.start) : Bytes{};
}

bool CoreMemory::read(uint64_t address, std::span<std::byte> into) {
  // An unwinder asks for words of one stack.
  bool is_there = last_ < pieces_.size() && pieces_[last_].start <= address && address < pieces_[last_].end();
  if (!is_there) {
    auto after = std::ranges::upper_bound(pieces_, address, {}, &CorePiece::start);
    if (after == pieces_.begin()) return into.empty();
    last_ = static_cast<size_t>(std::prev(after) - pieces_.begin());
  }
  for (size_t at = last_; !into.empty(); ++at) {
    if (at == pieces_.size() || address < pieces_[at].start || address >= pieces_[at].end()) return false;
    Bytes here = pieces_[at].bytes.subspan(address - pieces_[at].start);
    size_t size = std::min(here.size(), into.size());
    std::memcpy(into.data(), here.data(), size);
    into = into.subspan(size);
    address += size;
  }
  return true;
}

}  // namespace culprit
