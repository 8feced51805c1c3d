#include "model/stack_table.h"

namespace culprit {

namespace {

// Where the id of a stack stands in the index, or belongs. A program comes along its paths again and again, and ids
// were given along them: so a stack is looked for first where its caller's id says, close to what was looked for just
// before, which is at hand in a cache. A caller with more callees than find room there has the others anywhere. As
// nothing is ever taken out, a free place ends the search.
template <typename IsIt, typename Hash>
uint32_t& place_in(std::vector<uint32_t>& index, StackId caller, IsIt is_it, Hash hash) {
  constexpr size_t near_places = 8;
  const size_t mask = index.size() - 1;
  for (size_t place = 2 * index_of(caller), i = 0; i < near_places; ++i) {
    uint32_t& id = index[(place + i) & mask];
    if (id == 0 || is_it(id)) return id;
  }
  for (size_t place = hash();; ++place) {
    uint32_t& id = index[place & mask];
    if (id == 0 || is_it(id)) return id;
  }
}

}  // namespace

uint64_t StackTable::hash_of(const Node& node) {
  constexpr uint64_t golden = 0x9e3779b97f4a7c15;
  uint64_t hash = node.frame.offset * golden;
  hash = (hash ^ (hash >> 29) ^ index_of(node.frame.module)) * golden;
  hash = (hash ^ (hash >> 31) ^ index_of(node.caller) ^ (uint64_t{static_cast<uint8_t>(node.frame.found_by)} << 56)) *
         golden;
  return hash ^ (hash >> 32);
}

void StackTable::grow() {
  index_.assign(index_.empty() ? 256 : index_.size() * 2, 0);
  for (uint32_t id = first_id; id < nodes_.size(); ++id) {
    const Node& node = nodes_[id];
    auto is_none = [](uint32_t) { return false; };
    place_in(index_, node.caller, is_none, [&] { return hash_of(node); }) = id;
  }
}

StackId StackTable::intern(StackId caller, const Frame& frame) {
  if (nodes_.size() * 2 >= index_.size()) grow();
  const Node node{caller, frame};
  uint32_t& place = place_in(
      index_, caller, [&](uint32_t id) { return nodes_[id] == node; }, [&] { return hash_of(node); });
  if (place != 0) return id_at<StackId>(place);
  if (nodes_.size() >= limit_) return ++refused_, StackId::truncated;
  place = static_cast<uint32_t>(nodes_.size());
  nodes_.push_back(node);
  return id_at<StackId>(nodes_.size() - 1);
}

std::vector<Frame> StackTable::frames(StackId id, size_t limit) const {
  std::vector<Frame> frames;
  for (; index_of(id) >= first_id && frames.size() < limit; id = at(id).caller) frames.push_back(at(id).frame);
  return frames;
}

bool StackTable::truncated(StackId id) const {
  while (index_of(id) >= first_id) id = at(id).caller;
  return id == StackId::truncated;
}

}  // namespace culprit
