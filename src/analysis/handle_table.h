// What is open in one handle table at the moment of the event being looked at.
#pragma once

#include <array>
#include <memory>
#include <unordered_map>
#include <vector>

#include "analysis/handle_life.h"

namespace culprit {

enum class SlotState : uint8_t {
  empty,
  open,
  suspect,  // /proc had it, but a creation that is stamped a little later would explain it: needs a second look
};

struct Slot {
  HandleLife life;       // of what is open, or suspected
  Time last_change = 0;  // of the last event that named this number; 0: there was none
  uint32_t seen = 0;     // generation of the last snapshot that had it
  SlotState state = SlotState::empty;
};

// All tables of one trace draw their pages from one budget, so that a hostile recording cannot take all memory.
struct HandleBudget {
  size_t pages = size_t{1} << 15;  // 2 M numbers in use
  size_t far_numbers = size_t{1} << 16;
  uint64_t refused = 0;  // events that found no room

  // What fits into so much memory.
  static HandleBudget of_bytes(size_t bytes);
};

// Numbers are small and dense on Linux: pages of slots, found by index. Others (HANDLEs, nonsense) go into a map.
class HandleTable {
 public:
  explicit HandleTable(HandleBudget& budget) : budget_(budget) {}
  ~HandleTable();
  HandleTable(const HandleTable&) = delete;
  HandleTable& operator=(const HandleTable&) = delete;

  // The slot of that number; made if need be. nullptr: negative, or the budget is used up.
  Slot* slot(int64_t value) {
    if (auto page = static_cast<uint64_t>(value) / page_size; page < pages_.size() && pages_[page]) {
      return &(*pages_[page])[value % page_size];
    }
    return make_slot(value);
  }

  // The slot of that number if it was ever used, else nullptr.
  Slot* find(int64_t value);

  // Calls visit(Slot&) for all slots ever used with first <= value <= last. `visit` must not make slots.
  template <typename Visit>
  void each(int64_t first, int64_t last, Visit visit) {
    for (auto page = static_cast<size_t>(first / page_size); page < pages_.size(); ++page) {
      int64_t base = static_cast<int64_t>(page) * page_size;
      if (base > last) break;
      if (!pages_[page]) continue;
      for (int64_t i = std::max<int64_t>(0, first - base); i < page_size && base + i <= last; ++i) {
        visit((*pages_[page])[i]);
      }
    }
    for (auto& [value, slot] : far_) {
      if (value >= first && value <= last) visit(slot);
    }
  }
  template <typename Visit>
  void each(Visit visit) {
    each(0, INT64_MAX, visit);
  }

  ProcessId owner = ProcessId::none;  // the process it was made for; others may share it (clone(CLONE_FILES))
  size_t open = 0;                    // slots in state open
  uint32_t generation = 0;            // counts snapshots
  bool has_baseline = false;          // false: what /proc shows for the first time was there before we looked
  bool exec_pending = false;          // an exec has closed what the next snapshot misses
  Time exec_time = 0;
  Time forked = 0;  // when it was copied from its parent's; 0: never

 private:
  static constexpr int64_t page_size = 64;
  static constexpr int64_t near_numbers = 1 << 20;
  using Page = std::array<Slot, page_size>;
  Slot* make_slot(int64_t value);

  HandleBudget& budget_;
  std::vector<std::unique_ptr<Page>> pages_;
  std::unordered_map<int64_t, Slot> far_;
};

}  // namespace culprit
