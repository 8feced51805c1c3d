// Which mapping each address of one process belongs to. Mappings are the user's numbers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>

namespace culprit {

class MappedRanges {
 public:
  // What [start, end) holds, ascending: calls visit(start, end, mapping) for each piece, cut to the range.
  template <typename Visit>
  void look(uint64_t start, uint64_t end, Visit visit) const {
    for (auto piece = first_behind(start); piece != pieces_.end() && piece->first < end; ++piece)
      visit(std::max(piece->first, start), std::min(piece->second.end, end), piece->second.mapping);
  }

  // The same, and takes it away.
  template <typename Visit>
  void take(uint64_t start, uint64_t end, Visit visit) {
    look(start, end, visit);
    cut(start);
    cut(end);
    pieces_.erase(pieces_.lower_bound(start), pieces_.lower_bound(end));
  }

  // Where nothing is.
  void put(uint64_t start, uint64_t end, uint32_t mapping) { pieces_.insert_or_assign(start, Piece{end, mapping}); }

  void clear() { pieces_.clear(); }

 private:
  struct Piece {
    uint64_t end;
    uint32_t mapping;
  };
  using Pieces = std::map<uint64_t, Piece>;

  // The first piece that reaches beyond `address`.
  Pieces::const_iterator first_behind(uint64_t address) const {
    auto piece = pieces_.upper_bound(address);
    if (piece != pieces_.begin() && std::prev(piece)->second.end > address) --piece;
    return piece;
  }

  // No piece lies across `address`.
  void cut(uint64_t address) {
    auto piece = pieces_.upper_bound(address);
    if (piece == pieces_.begin()) return;
    --piece;
    if (piece->first == address || piece->second.end <= address) return;
    put(address, piece->second.end, piece->second.mapping);
    piece->second.end = address;
  }

  Pieces pieces_;  // by start, apart from each other
};

}  // namespace culprit
