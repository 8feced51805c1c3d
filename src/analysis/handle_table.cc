#include "analysis/handle_table.h"

#include <algorithm>

namespace culprit {

HandleBudget HandleBudget::of_bytes(size_t bytes) {
  constexpr size_t page = sizeof(Slot) * 64, far_number = sizeof(Slot) + 64;
  return {.pages = std::max<size_t>(bytes / 8 * 7 / page, 1),
          .far_numbers = std::max<size_t>(bytes / 8 / far_number, 1)};
}

HandleTable::~HandleTable() {
  for (auto& page : pages_) budget_.pages += page ? 1 : 0;
  budget_.far_numbers += far_.size();
}

Slot* HandleTable::find(int64_t value) {
  if (value >= 0 && value < near_numbers) {
    auto page = static_cast<size_t>(value / page_size);
    return page < pages_.size() && pages_[page] ? &(*pages_[page])[value % page_size] : nullptr;
  }
  auto found = far_.find(value);
  return found == far_.end() ? nullptr : &found->second;
}

Slot* HandleTable::make_slot(int64_t value) {
  if (value < 0) return nullptr;
  if (value >= near_numbers) {
    if (auto found = far_.find(value); found != far_.end()) return &found->second;
    if (budget_.far_numbers == 0) return ++budget_.refused, nullptr;
    --budget_.far_numbers;
    return &far_[value];
  }
  if (budget_.pages == 0) return ++budget_.refused, nullptr;
  --budget_.pages;
  auto page = static_cast<size_t>(value / page_size);
  if (page >= pages_.size()) pages_.resize(page + 1);
  pages_[page] = std::make_unique<Page>();
  return &(*pages_[page])[value % page_size];
}

}  // namespace culprit
