// Each distinct string once, named by a small number. Index 0 is the empty string.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

namespace culprit {

class StringPool {
 public:
  StringPool() { intern(""); }
  StringPool(const StringPool&) = delete;  // the index points into the strings
  StringPool& operator=(const StringPool&) = delete;
  StringPool(StringPool&&) = default;
  StringPool& operator=(StringPool&&) = default;

  uint32_t intern(std::string_view text) {
    if (auto found = index_.find(text); found != index_.end()) return found->second;
    auto id = static_cast<uint32_t>(strings_.size());
    if (id > 0 && memory_ + cost_of(text) > limit_) return ++refused_, 0;
    memory_ += cost_of(text);
    index_.emplace(strings_.emplace_back(text), id);
    return id;
  }
  // From here on new strings that would need more memory than that are refused: they become the empty one.
  void limit_memory(size_t bytes) { limit_ = bytes; }
  uint64_t refused() const { return refused_; }
  size_t memory() const { return memory_; }  // roughly
  std::string_view at(uint32_t id) const { return strings_.at(id); }
  size_t size() const { return strings_.size(); }

 private:
  // The string, its entry in the index, and what the allocator keeps beside both.
  static size_t cost_of(std::string_view text) { return (text.size() > 15 ? text.size() + 17 : 0) + 96; }

  std::deque<std::string> strings_;  // a deque: the views in index_ must stay valid
  std::unordered_map<std::string_view, uint32_t> index_;
  size_t memory_ = 0, limit_ = SIZE_MAX;
  uint64_t refused_ = 0;
};

}  // namespace culprit
