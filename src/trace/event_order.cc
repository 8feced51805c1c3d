#include "trace/event_order.h"

#include <algorithm>

namespace culprit {

// Each thread's events are nearly always in order already, so merging the ascending stretches that are there takes few
// rounds, and none for one thread.
void sort_by_time(std::vector<EventPlace>& places) {
  auto before = [](const EventPlace& a, const EventPlace& b) {
    return a.time != b.time ? a.time < b.time : a.recorded < b.recorded;
  };
  std::vector<size_t> starts{0};
  for (size_t i = 1; i < places.size(); ++i) {
    if (before(places[i], places[i - 1])) starts.push_back(i);
  }
  std::vector<EventPlace> merged(starts.size() > 1 ? places.size() : 0);
  while (starts.size() > 1) {
    std::vector<size_t> new_starts;
    for (size_t i = 0; i < starts.size(); i += 2) {
      auto bound = [&](size_t k) {
        return places.begin() + static_cast<ptrdiff_t>(k < starts.size() ? starts[k] : places.size());
      };
      std::merge(bound(i), bound(i + 1), bound(i + 1), bound(i + 2), merged.begin() + static_cast<ptrdiff_t>(starts[i]),
                 before);
      new_starts.push_back(starts[i]);
    }
    places.swap(merged);
    starts = std::move(new_starts);
  }
}

}  // namespace culprit
