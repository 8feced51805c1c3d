#include "model/stack_table.h"

namespace culprit {

size_t StackTable::Hash::operator()(const Node& node) const {
  constexpr uint64_t golden = 0x9e3779b97f4a7c15;
  uint64_t hash = node.frame.offset * golden;
  hash = (hash ^ (hash >> 29) ^ index_of(node.frame.module)) * golden;
  hash = (hash ^ (hash >> 31) ^ index_of(node.caller) ^ (uint64_t{static_cast<uint8_t>(node.frame.found_by)} << 56)) *
         golden;
  return hash ^ (hash >> 32);
}

StackId StackTable::intern(StackId caller, const Frame& frame) {
  if (nodes_.size() >= limit_) {
    auto known = index_.find(Node{caller, frame});
    return known != index_.end() ? known->second : (++refused_, StackId::truncated);
  }
  auto [place, is_new] = index_.try_emplace(Node{caller, frame}, id_at<StackId>(nodes_.size()));
  if (is_new) nodes_.push_back(place->first);
  return place->second;
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
