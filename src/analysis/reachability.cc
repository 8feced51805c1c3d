#include "analysis/reachability.h"

#include <algorithm>
#include <optional>

#include "analysis/pointer_scan.h"

namespace culprit {

class ReachabilitySearch::Marker {
 public:
  explicit Marker(const BlockTable& blocks) : blocks_(blocks) { result_.reach.assign(blocks.size(), Reach::unknown); }

  uint64_t take_roots(MemoryReader& memory, const HeapRoots& roots) {
    auto take = [this](uint64_t value) { mark(blocks_.holding(value), Reach::reachable); };
    for (uint64_t value : roots.registers) take(value);
    MemoryWindow window(memory);
    uint64_t unread = 0;
    for (const AddressRange& range : roots.ranges)
      unread += scan_words(window, range, [&](uint64_t, uint64_t value) { take(value); });
    return unread;
  }

  Reachability run(MemoryReader& memory) {
    memory_ = &memory;
    window_.emplace(memory);
    flood(Reach::reachable);
    // From here on: what is unknown is leaked.
    take_those_without_pointers();
    // From here on: what is unknown is in rings, or behind one.
    for (uint32_t block = 0; block < blocks_.size(); ++block)
      if (result_.reach[block] == Reach::unknown) take_direct(block);
    std::ranges::sort(result_.direct, {}, &Reachability::Behind::block);
    std::ranges::sort(result_.indirect, {}, &Reachability::Indirect::block);
    return std::move(result_);
  }

 private:
  void mark(uint32_t block, Reach reach) {
    if (block == BlockTable::none || result_.reach[block] != Reach::unknown) return;
    result_.reach[block] = reach;
    waiting_.push_back(block);
  }
  void flood(Reach reach) {
    while (!waiting_.empty()) {
      const uint32_t block = waiting_.back();
      waiting_.pop_back();
      for_each_pointer(block, [&](uint32_t other) { mark(other, reach); });
    }
  }
  template <typename Take>
  void for_each_pointer(uint32_t block, Take take) {
    const BlockTable::Block& found = blocks_[block];
    auto take_word = [&](uint64_t, uint64_t value) {
      if (const uint32_t other = blocks_.holding(value); other != BlockTable::none && other != block) take(other);
    };
    // Blocks come in no order: reading ahead would be for nothing.
    uint64_t words[512];
    const uint64_t count = found.size / 8;
    if (count > std::size(words) || !memory_->read(found.address, std::as_writable_bytes(std::span(words, count))))
      scan_words(*window_, {found.address, found.end()}, take_word);
    else
      for (uint64_t i = 0; i < count; ++i) take_word(0, words[i]);
  }
  void take_those_without_pointers() {
    std::vector<bool> has_pointer(blocks_.size());
    for (uint32_t block = 0; block < blocks_.size(); ++block)
      if (result_.reach[block] == Reach::unknown)
        for_each_pointer(block, [&](uint32_t other) { has_pointer[other] = true; });
    for (uint32_t block = 0; block < blocks_.size(); ++block)
      if (result_.reach[block] == Reach::unknown && !has_pointer[block]) take_direct(block);
  }
  void take_direct(uint32_t block) {
    result_.reach[block] = Reach::direct;
    Reachability::Behind behind{.block = block};
    waiting_.push_back(block);
    while (!waiting_.empty()) {
      const uint32_t next = waiting_.back();
      waiting_.pop_back();
      for_each_pointer(next, [&](uint32_t other) {
        if (result_.reach[other] != Reach::unknown) return;
        mark(other, Reach::indirect);
        result_.indirect.push_back({other, block});
        ++behind.blocks;
        behind.bytes += blocks_[other].size;
      });
    }
    result_.direct.push_back(behind);
  }

  MemoryReader* memory_ = nullptr;  // the blocks'
  std::optional<MemoryWindow> window_;
  const BlockTable& blocks_;
  std::vector<uint32_t> waiting_;
  Reachability result_;
};

ReachabilitySearch::ReachabilitySearch(const BlockTable& blocks) : marker_(std::make_unique<Marker>(blocks)) {}
ReachabilitySearch::~ReachabilitySearch() = default;

uint64_t ReachabilitySearch::take_roots(MemoryReader& memory, const HeapRoots& roots) {
  return marker_->take_roots(memory, roots);
}

Reachability ReachabilitySearch::finish(MemoryReader& memory) { return marker_->run(memory); }

Reachability find_unreachable(MemoryReader& memory, const BlockTable& blocks, const HeapRoots& roots) {
  ReachabilitySearch search(blocks);
  search.take_roots(memory, roots);
  return search.finish(memory);
}

}  // namespace culprit
