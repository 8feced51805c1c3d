#include "analysis/open_handles.h"

#include <algorithm>

namespace culprit {

namespace {

// Of all that is held, at most so much is given up to get a snapshot settled that was being read at the chosen moment.
constexpr Time shortest_hold = 50'000'000;

}  // namespace

void OpenHandles::sort() {
  auto earlier = [](const Held& a, const Held& b) { return a.time < b.time; };
  auto middle = held_.begin() + static_cast<ptrdiff_t>(sorted_);
  std::stable_sort(middle, held_.end(), earlier);
  std::inplace_merge(held_.begin(), middle, held_.end(), earlier);
  sorted_ = held_.size();
}

void OpenHandles::apply(size_t count) {
  struct Visitor {
    HandleLifetimes& lifetimes;
    void operator()(const Nothing&) const {}
    void operator()(const HandleEvent& event) const { lifetimes.on_handle(event); }
    void operator()(const ProcessEvent& event) const { lifetimes.on_process(event); }
    void operator()(const HandleSnapshot& snapshot) const { lifetimes.on_snapshot(snapshot); }
  };
  sort();
  for (size_t i = 0; i < count; ++i) {
    std::visit(Visitor{lifetimes_}, held_[i].event);
    applied_until_ = std::max(applied_until_, held_[i].time);
  }
  held_.erase(held_.begin(), held_.begin() + static_cast<ptrdiff_t>(count));
  sorted_ = held_.size();
  applied_ += count;
}

void OpenHandles::apply_until(Time time) {
  sort();
  auto end = std::partition_point(held_.begin(), held_.end(), [&](const Held& held) { return held.time <= time; });
  apply(static_cast<size_t>(end - held_.begin()));
}

std::optional<OpenHandles::Moment> OpenHandles::settle(bool must) {
  sort();
  if (applied_ == 0 && held_.empty()) return {};
  const Time newest = held_.empty() ? applied_until_ : std::max(applied_until_, held_.back().time);
  Time as_of = std::max(newest - bounds_.held_back, applied_until_);
  apply_until(as_of);
  // A snapshot that was being read at that moment would be cut in two.
  for (Time end = lifetimes_.settled_until(as_of); end != 0; end = lifetimes_.settled_until(as_of)) {
    if (end > newest - shortest_hold) {
      if (!must) return {};
      lifetimes_.drop_unsettled();
      break;
    }
    apply_until(as_of = end);
  }
  as_of_ = as_of;
  return Moment{as_of, applied_};
}

void OpenHandles::send_tables(const std::function<void(const CarriedTable&)>& send) {
  lifetimes_.carry_out(as_of_, send);
}

}  // namespace culprit
