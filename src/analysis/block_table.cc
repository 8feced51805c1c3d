#include "analysis/block_table.h"

#include <algorithm>

namespace culprit {

namespace {

constexpr uint64_t page = 4096;
constexpr uint64_t widest_gap = 1 << 20;  // within a run

}  // namespace

void BlockTable::finish() {
  if (!std::ranges::is_sorted(blocks_, {}, &Block::address)) std::ranges::sort(blocks_, {}, &Block::address);
  runs_.clear();
  first_.clear();
  gap_ = {};
  for (uint32_t i = 0; i < blocks_.size(); ++i) {
    const Block& block = blocks_[i];
    if (runs_.empty() || block.address - runs_.back().end > widest_gap)
      runs_.push_back({block.address / page * page, block.end(), first_.size(), 0, i});
    Run& run = runs_.back();
    run.end = std::max(run.end, block.end());
    run.blocks_end = i + 1;
    run.pages = std::max(run.pages, (block.address - run.start) / page + 1);
    // Pages in which none begins lead to the next one that does.
    first_.resize(run.first_page + run.pages, i);
  }
  if (!runs_.empty()) {
    least_ = runs_.front().start;
    most_ = runs_.back().end;
  }
}

uint32_t BlockTable::search(uint64_t address) const {
  if (last_run_ >= runs_.size() || address < runs_[last_run_].start || address >= runs_[last_run_].end) {
    // Many are addresses of other memory, as between two runs.
    if (address >= gap_.start && address < gap_.end) return none;
    auto after = std::ranges::upper_bound(runs_, address, {}, &Run::start);
    if (after == runs_.begin()) return none;
    const auto found = static_cast<size_t>(std::prev(after) - runs_.begin());
    if (address >= runs_[found].end) {
      gap_ = {runs_[found].end, after == runs_.end() ? UINT64_MAX : after->start};
      return none;
    }
    last_run_ = found;
  }
  const Run& run = runs_[last_run_];
  // The last one that begins at or before the address: in this page, or the last one before it.
  const uint64_t page_number = (address - run.start) / page;
  auto first_of = [&](uint64_t number) {
    return number < run.pages ? first_[run.first_page + number] : run.blocks_end;
  };
  const uint32_t from = first_of(page_number);
  auto begin = blocks_.begin() + (from == 0 ? 0 : from - 1), end = blocks_.begin() + first_of(page_number + 1);
  auto found =
      std::upper_bound(begin, end, address, [](uint64_t value, const Block& block) { return value < block.address; });
  if (found == blocks_.begin()) return none;
  --found;
  return address < found->end() ? static_cast<uint32_t>(found - blocks_.begin()) : none;
}

}  // namespace culprit
