#include "analysis/handle_leaks.h"

#include <algorithm>
#include <numeric>

namespace culprit {

namespace {

constexpr size_t tally_limit = 64, unknown_limit = 10'000;

}  // namespace

void ProcessTally::add(ProcessId process) {
  for (size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i].first != process) continue;
    ++counts_[i].second;
    if (i != 0 && counts_[i].second > counts_[i - 1].second) std::swap(counts_[i], counts_[i - 1]);
    return;
  }
  if (counts_.size() < tally_limit) counts_.emplace_back(process, 1);
}

std::vector<std::pair<ProcessId, uint64_t>> ProcessTally::most(size_t limit) const {
  auto sorted = counts_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  if (sorted.size() > limit) sorted.resize(limit);
  return sorted;
}

uint64_t LifeGroup::created() const {
  return std::accumulate(std::begin(created_by), std::end(created_by), uint64_t{0});
}

uint64_t LifeGroup::outstanding() const {
  return closed_by[static_cast<size_t>(HowClosed::still_open)] + closed_by[static_cast<size_t>(HowClosed::exit)];
}

uint64_t LifeGroup::closed() const { return created() - outstanding(); }

GroupKey HandleLeaks::key_of(const HandleLife& life) const {
  const bool known = index_of(life.created_stack) < tables_.stacks.size();
  return {life.call_type, known ? life.created_stack : StackId::none};
}

uint32_t HandleLeaks::group_of(const HandleLife& life) const {
  if (!made_here(life.how_created) || life.created < options_.window_start) return LifeGroup::none;
  const GroupKey key = key_of(life);
  uint32_t index = index_of(key.stack) < by_stack_.size() ? by_stack_[index_of(key.stack)] : LifeGroup::none;
  while (index != LifeGroup::none && groups_[index].key != key) index = groups_[index].next_of_stack;
  return index;
}

LifeGroup& HandleLeaks::group_for(const HandleLife& life) {
  if (uint32_t index = group_of(life); index != LifeGroup::none) return groups_[index];
  const GroupKey key = key_of(life);
  if (index_of(key.stack) >= by_stack_.size()) by_stack_.resize(tables_.stacks.size(), LifeGroup::none);
  uint32_t& head = by_stack_[index_of(key.stack)];
  LifeGroup& group = groups_.emplace_back();
  group.key = key;
  group.next_of_stack = head;
  group.call = life.created_call;
  head = static_cast<uint32_t>(groups_.size() - 1);
  return group;
}

GroupShare& HandleLeaks::share_for(LifeGroup& group, uint32_t group_index, const HandleLife& life) {
  // Nearly all groups belong to a few processes: only large ones need the map.
  if (group.last_share != LifeGroup::none && shares_[group.last_share].process == life.owning) {
    return shares_[group.last_share];
  }
  const size_t few = std::min(group.shares.size(), group.first_processes.size());
  for (size_t i = 0; i < few; ++i) {
    if (group.first_processes[i] == life.owning) return shares_[group.last_share = group.shares[i]];
  }
  const uint64_t key = uint64_t{group_index} << 32 | index_of(life.owning);
  auto [place, is_new] = share_index_.try_emplace(key, static_cast<uint32_t>(shares_.size()));
  if (is_new) {
    GroupShare& share = shares_.emplace_back();
    share.group = group_index;
    share.process = life.owning;
    if (group.shares.size() < group.first_processes.size()) group.first_processes[group.shares.size()] = life.owning;
    group.shares.push_back(place->second);
  }
  group.last_share = place->second;
  return shares_[place->second];
}

void HandleLeaks::on_life(const HandleLife& life) {
  if (made_here(life.how_created) && life.created < options_.window_start) {
    ++before_window;
    return;
  }
  keep(life);
  inherited += life.how_created == HowCreated::inherit ? 1 : 0;
  existing += life.how_created == HowCreated::existing ? 1 : 0;
  if (life.how_created == HowCreated::unknown_origin && ++unknown_total <= unknown_limit) unknown_.push_back(life);
  if (!made_here(life.how_created)) return;

  LifeGroup& group = group_for(life);
  GroupShare& share = share_for(group, static_cast<uint32_t>(&group - groups_.data()), life);
  ++created;
  ++share.created;
  ++group.created_by[static_cast<size_t>(life.how_created)];
  ++group.closed_by[static_cast<size_t>(life.how_closed)];
  group.first = std::min(group.first, life.created);
  group.last = std::max(group.last, life.created);
  group.creating.add(life.creating);
  if (group.shown_type == StringId::none || life.type != life.call_type) group.shown_type = life.type;
  if (!last_totals_ || last_type_ != life.type) {
    last_type_ = life.type;
    last_totals_ = &types_[life.type];
  }
  Totals& totals = *last_totals_;
  ++totals.created;
  if (left_open(life.how_closed)) {
    ++totals.outstanding;
    count_outstanding(group, share, life);
  } else {
    ++totals.closed;
    ++share.closed;
    count_closed(group, life);
  }
}

void HandleLeaks::count_closed(LifeGroup& group, const HandleLife& life) {
  ++closed;
  group.lifetimes.add(life.closed - life.created);
  if (life.closing != ProcessId::none) group.closing.add(life.closing);
  if (life.closed_stack == StackId::none) return;
  auto& stacks = group.closing_stacks;
  auto found =
      std::find_if(stacks.begin(), stacks.end(), [&](const auto& entry) { return entry.first == life.closed_stack; });
  if (found != stacks.end()) {
    ++found->second;
  } else if (stacks.size() < closing_stack_count) {
    stacks.emplace_back(life.closed_stack, 1);
  }
}

void HandleLeaks::count_outstanding(LifeGroup& group, GroupShare& share, const HandleLife& life) {
  ++outstanding;
  ++(life.how_closed == HowClosed::exit ? share.at_exit : share.still_open);
  group.ages.add(life.closed - life.created);
  if (share.left() == 1) {
    share.first = share.last = life.created;
  } else {
    if (!share.outstanding) {
      share.outstanding = std::make_unique<TimeSeries>();
      share.outstanding->add(share.first);
    }
    share.outstanding->add(life.created);
    share.first = std::min(share.first, life.created);
    share.last = std::max(share.last, life.created);
  }
  if (!group.series) {
    group.series = std::make_unique<TimeSeries>();
    group.series->extend(options_.series_start);
  }
  group.series->add(life.created);
  auto& examples = group.examples;
  if (examples.size() == example_count && examples.back().created <= life.created) return;
  auto place = std::upper_bound(examples.begin(), examples.end(), life,
                                [](const HandleLife& a, const HandleLife& b) { return a.created < b.created; });
  examples.insert(place, life);
  if (examples.size() > example_count) examples.pop_back();
}

void HandleLeaks::keep(const HandleLife& life) {
  if (options_.keep_lives == 0 || (!options_.keep_closed && !left_open(life.how_closed))) return;
  if (lives_.size() < options_.keep_lives) {
    lives_.push_back(life);
  } else {
    ++lives_left_out_;
  }
}

}  // namespace culprit
