// Takes what was asked for from the blocks of a heap as they are walked. Quick, as the process stands still meanwhile:
// names are found later.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "analysis/block_table.h"
#include "analysis/heap_links.h"
#include "analysis/heap_report.h"
#include "target/target.h"

namespace culprit {

struct CountedExample {
  HeapCount count;
  uint64_t example = 0;

  void add(const HeapBlock& block) {
    if (count.blocks == 0) example = block.address;
    count.add(block.size);
  }
};

// What the first words of blocks may tell of their class.
struct TypeHint {
  uint64_t table = 0;     // where its virtual functions are listed, if it is one
  bool is_array = false;  // behind the count that new[] keeps

  bool operator==(const TypeHint&) const = default;
};
struct TypeHintHash {
  size_t operator()(const TypeHint& hint) const {
    return std::hash<uint64_t>()(hint.table * 2 + (hint.is_array ? 1 : 0));
  }
};

// Finds them by where they point.
class TypeHints {
 public:
  explicit TypeHints(const std::vector<TargetModule>& modules);
  // `first`: the first 16 bytes of a block of `size` bytes. table 0: none.
  TypeHint hint_of(Bytes first, uint64_t size) const;

 private:
  bool is_in_module(uint64_t address) const;

  std::vector<AddressRange> modules_;
  uint64_t least_ = UINT64_MAX, most_ = 0;
};

class HeapCollector {
 public:
  // Both must outlive it.
  HeapCollector(const HeapLayout& layout, const HeapQuestion& question, const std::vector<TargetModule>& modules);

  bool add(const HeapBlock& block, Bytes first);

  std::vector<HeapArenaReport> arenas;
  HeapCount own_blocks, in_use, matched, untyped;
  std::unordered_map<uint64_t, CountedExample> large_sizes;  // by size
  std::vector<CountedExample> small_sizes;                   // by size in steps of 16
  std::unordered_map<TypeHint, CountedExample, TypeHintHash> types;
  std::vector<HeapBlock> blocks;
  BlockTable table;  // of blocks in use: for `block` and `unreachable`
  BlockTable free_blocks;
  std::vector<FreeLinks> links;  // of free blocks in bins

 private:
  static constexpr uint64_t small = 64 << 10;

  bool is_wanted(const HeapBlock& block) const;
  void count(const HeapBlock& block);
  void take_links(const HeapBlock& block, Bytes first);

  const HeapQuestion& question_;
  TypeHints hints_;
  std::optional<uint32_t> arena_;
  bool keeps_table_;
};

}  // namespace culprit
