// All stacks of a trace as one tree with shared outer ends: a stack is its innermost frame plus the stack of its
// caller.
#pragma once

#include <span>
#include <vector>

#include "model/stack.h"

namespace culprit {

class StackTable {
 public:
  struct Node {
    StackId caller = StackId::none;  // none or truncated at the outer end
    Frame frame;
    bool operator==(const Node&) const = default;
  };

  StackTable() : nodes_(first_id) {}

  // The stack whose innermost frame is `frame`, called from `caller`. `caller` must be one this table gave, none or
  // truncated.
  StackId intern(StackId caller, const Frame& frame);

  // From here on stacks that would need more memory than that are refused: intern() gives `truncated` in place of a new
  // one, so that a stack never seems to be whole that is not.
  void limit_memory(size_t bytes) { limit_ = bytes / bytes_per_node; }
  uint64_t refused() const { return refused_; }
  size_t memory() const { return nodes_.size() * bytes_per_node; }  // roughly

  // `id` must not be none or truncated.
  const Node& at(StackId id) const { return nodes_.at(index_of(id)); }

  // One past the largest id given so far; ids are dense from first_id on, and a caller's id is less than its callee's.
  size_t size() const { return nodes_.size(); }
  static constexpr size_t first_id = 2;

  // Innermost first. At most `limit` frames.
  std::vector<Frame> frames(StackId id, size_t limit = 4096) const;
  // True when the outer end of the stack is missing.
  bool truncated(StackId id) const;

 private:
  static uint64_t hash_of(const Node& node);
  void grow();
  static constexpr size_t bytes_per_node = 64;  // a node and its places in the index, as both double

  size_t limit_ = SIZE_MAX;  // of nodes
  uint64_t refused_ = 0;
  std::vector<Node> nodes_;  // [0] and [1] stand for none and truncated
  // By hash, linear probing; 0: free. A recording of memory has a million stacks, so there is no more than this.
  std::vector<uint32_t> index_;
};

}  // namespace culprit
