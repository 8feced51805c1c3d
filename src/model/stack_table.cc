#include "model/stack_table.h"

namespace culprit {

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
    size_t place = hash_of(nodes_[id]) & (index_.size() - 1);
    while (index_[place] != 0) place = (place + 1) & (index_.size() - 1);
    index_[place] = id;
  }
}

StackId StackTable::intern(StackId caller, const Frame& frame) {
  if (nodes_.size() * 2 >= index_.size()) grow();
  const Node node{caller, frame};
  size_t place = hash_of(node) & (index_.size() - 1);
  for (; index_[place] != 0; place = (place + 1) & (index_.size() - 1))
    if (nodes_[index_[place]] == node) return id_at<StackId>(index_[place]);
  if (nodes_.size() >= limit_) return ++refused_, StackId::truncated;
  index_[place] = static_cast<uint32_t>(nodes_.size());
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
