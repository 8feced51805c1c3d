#include "analysis/life_groups.h"

#include <algorithm>

namespace culprit {

namespace {

uint64_t hash_of(std::span<const uint64_t> words) {
  constexpr uint64_t golden = 0x9e3779b97f4a7c15;
  uint64_t hash = 0;
  for (uint64_t word : words) {
    hash = (hash ^ word) * golden;
    hash ^= hash >> 29;
  }
  return hash;
}

uint64_t closing_word(const HandleLife& life) {
  if (left_open(life.how_closed) || life.how_closed == HowClosed::vanished) {
    return uint64_t{1} << 32 | static_cast<uint64_t>(life.how_closed);
  }
  return index_of(life.closing);
}

uint64_t creating_word(const HandleLife& life) {
  if (life.creating != ProcessId::none) return index_of(life.creating);
  return uint64_t{1} << 32 | static_cast<uint64_t>(life.how_created);
}

}  // namespace

uint64_t word_of(HandleColumn column, const HandleLife& life) {
  switch (column) {
    case HandleColumn::closing:
      return closing_word(life);
    case HandleColumn::owning:
    case HandleColumn::program:
      return index_of(life.owning);
    case HandleColumn::type:
      return index_of(life.type);
    case HandleColumn::creating:
      return creating_word(life);
    case HandleColumn::stack:
    case HandleColumn::module:
    case HandleColumn::function:
      return index_of(life.created_stack);
    case HandleColumn::how:
      return static_cast<uint64_t>(life.how_created) << 8 | static_cast<uint64_t>(life.how_closed);
    case HandleColumn::object:
      return life.object;
    case HandleColumn::name:
      return index_of(life.name);
    case HandleColumn::thread:
      return uint64_t{index_of(life.creating)} << 32 | life.created_tid;
    case HandleColumn::closing_stack:
      return index_of(life.closed_stack);
  }
  return 0;
}

void LifeGroupRow::add(const LifeGroupRow& other) {
  const bool is_first = counts.created() == 0;
  const bool outstanding = left_open(example.how_closed), others = left_open(other.example.how_closed);
  if (is_first || (others && !outstanding) || (others == outstanding && other.example.created < example.created)) {
    example = other.example;
  }
  counts += other.counts;
  first = std::min(first, other.first);
  last = std::max(last, other.last);
}

LifeGroups::LifeGroups(std::vector<HandleColumn> columns, size_t limit)
    : columns_(std::move(columns)), limit_(limit), places_(64, none), key_(columns_.size()) {}

uint32_t LifeGroups::find_or_make(std::span<const uint64_t> words) {
  const uint64_t hash = hash_of(words);
  const size_t mask = places_.size() - 1;
  size_t place = (hash >> 20) & mask;
  for (; places_[place] != none; place = (place + 1) & mask) {
    const uint32_t group = places_[place];
    if (hashes_[group] == hash && std::ranges::equal(this->words(group), words)) return group;
  }
  if (rows_.size() >= limit_) return none;
  const auto group = static_cast<uint32_t>(rows_.size());
  places_[place] = group;
  rows_.emplace_back();
  hashes_.push_back(hash);
  words_.insert(words_.end(), words.begin(), words.end());
  if (rows_.size() * 2 > places_.size()) grow();
  return group;
}

void LifeGroups::grow() {
  places_.assign(places_.size() * 2, none);
  const size_t mask = places_.size() - 1;
  for (uint32_t group = 0; group < hashes_.size(); ++group) {
    size_t place = (hashes_[group] >> 20) & mask;
    while (places_[place] != none) place = (place + 1) & mask;
    places_[place] = group;
  }
}

void LifeGroups::on_life(const HandleLife& life) {
  for (size_t i = 0; i < columns_.size(); ++i) key_[i] = word_of(columns_[i], life);
  LifeGroupRow row{{}, life.created, life.created, life};
  row.counts.add(life.how_closed);
  add(key_, row);
}

void LifeGroups::add(std::span<const uint64_t> words, const LifeGroupRow& row) {
  const uint32_t group = find_or_make(words);
  if (group == none) {
    beyond_limit_ += row.counts;
  } else {
    rows_[group].add(row);
  }
}

}  // namespace culprit
