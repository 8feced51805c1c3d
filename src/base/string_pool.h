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
    index_.emplace(strings_.emplace_back(text), id);
    return id;
  }
  std::string_view at(uint32_t id) const { return strings_.at(id); }
  size_t size() const { return strings_.size(); }

 private:
  std::deque<std::string> strings_;  // a deque: the views in index_ must stay valid
  std::unordered_map<std::string_view, uint32_t> index_;
};

}  // namespace culprit
