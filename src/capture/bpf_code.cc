#include "capture/bpf_code.h"

#include <algorithm>

namespace culprit {

bool BpfCode::publish(PublishedCode& published, const CodeMap& code) {
  if (published.key == 0) return true;
  Block block;
  std::vector<culprit_bpf_range> entries;
  bool is_whole = true;
  for (const MappedCode& piece : code.newest()) {
    culprit_bpf_range entry{};
    if (piece.file != nullptr) {
      BpfTables::Table& table = tables_.of(*piece.file);
      is_whole &= table.state != BpfTables::State::building;
      // Addresses in it are unknown, for now or for ever: no frame pointer is believed there, the stack is copied.
      if (table.state == BpfTables::State::building || table.state == BpfTables::State::unknown) continue;
      if (table.state == BpfTables::State::placed) {
        entry = table.range;
        block.tables.push_back(&table);
      }
    }
    entry.start = piece.start;
    entry.end = piece.end;
    entry.bias = piece.bias;
    if (entries.size() + 1 < CULPRIT_BPF_RANGES) entries.push_back(entry);
  }
  block.count = static_cast<uint32_t>(entries.size()) + 1;
  auto place = ranges_.allocate(block.count);
  if (!place) {
    left_out_++;
    return is_whole;
  }
  block.first = *place;
  block.users = 1;
  uint32_t stamp = ++last_stamp_ == 0 ? ++last_stamp_ : last_stamp_;
  std::span<culprit_bpf_range> ranges = program_.ranges().subspan(block.first, block.count);
  ranges[0] = culprit_bpf_range{};
  std::ranges::copy(entries, ranges.begin() + 1);
  __atomic_store_n(&ranges[0].row_base, stamp, __ATOMIC_RELEASE);
  for (BpfTables::Table* table : block.tables) table->users++;

  auto known = program_.code(published.key);
  uint32_t generation = known && known->image == published.image ? known->generation + 1 : 1;
  program_.set_code(published.key, {block.first + 1, block.count - 1, stamp, generation, published.image});
  blocks_.emplace(stamp, std::move(block));
  release(std::exchange(published.stamp, stamp));
  return is_whole;
}

bool BpfCode::inherit(PublishedCode& child) {
  auto known = program_.code(child.key);
  if (!known || known->stamp == 0) return true;  // it asks when it needs it
  child.image = known->image;
  auto block = blocks_.find(known->stamp);
  if (block == blocks_.end()) return false;
  block->second.users++;
  child.stamp = known->stamp;
  return true;
}

void BpfCode::forget(PublishedCode& published) {
  release(std::exchange(published.stamp, 0));
  published = {};
}

void BpfCode::release(uint32_t stamp) {
  auto found = blocks_.find(stamp);
  if (found == blocks_.end() || --found->second.users > 0) return;
  Block& block = found->second;
  __atomic_store_n(&program_.ranges()[block.first].row_base, 0, __ATOMIC_RELEASE);
  for (BpfTables::Table* table : block.tables) table->users--;
  given_up_.emplace_back(block.first, block.count);
  blocks_.erase(found);
}

void BpfCode::end_of_round() {
  for (auto [first, count] : given_up_before_) ranges_.release(first, count);
  given_up_before_ = std::exchange(given_up_, {});
}

}  // namespace culprit
