// Which handles are open, followed while events are recorded: what a circular recording carries along when the events
// themselves fall out of it.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "analysis/handle_lifetimes.h"
#include "model/open_handle_source.h"

namespace culprit {

// Events come as they are recorded: each thread's in order of time, those of different threads late by some amount. The
// newest ones are held back and put in order.
class OpenHandles final : public EventSink, public OpenHandleSource, private HandleLifeSink {
 public:
  struct Bounds {
    size_t held_events = size_t{1} << 17;  // at most twice as many
    size_t table_bytes = size_t{64} << 20;
    Time held_back = 1'000'000'000;  // an event later than that may be taken for a newer one
  };
  // `tables` must outlive it.
  OpenHandles(const TraceTables& tables, const Bounds& bounds)
      : bounds_(bounds), lifetimes_(tables, *this, HandleBudget::of_bytes(bounds.table_bytes)) {}

  void on_handle(const HandleEvent& event) override { hold(event.time, event); }
  void on_process(const ProcessEvent& event) override { hold(event.time, event); }
  void on_thread(const ThreadEvent& event) override { hold(event.time, Nothing{}); }
  void on_snapshot(const HandleSnapshot& snapshot) override { hold(snapshot.begin, snapshot); }
  void on_mark(const Mark& mark) override { hold(mark.time, Nothing{}); }
  void on_loss(const Loss&) override {}

  std::optional<Moment> settle(bool must) override;
  void send_tables(const std::function<void(const CarriedTable&)>& send) override;

  // As of the moment last settled.
  const std::vector<ProcessFacts>& processes() const { return lifetimes_.processes(); }
  // Events that found no room in table_bytes, so that what they opened will be forgotten.
  uint64_t refused() const { return lifetimes_.refused(); }

 private:
  struct Nothing {};  // counted only
  using Event = std::variant<Nothing, HandleEvent, ProcessEvent, HandleSnapshot>;
  struct Held {
    Time time;
    Event event;
  };

  template <typename What>
  void hold(Time time, const What& event) {
    held_.push_back({time, event});
    if (held_.size() >= 2 * bounds_.held_events) apply(bounds_.held_events);
  }
  void sort();
  void apply(size_t count);
  void apply_until(Time time);
  void on_life(const HandleLife&) override {}

  Bounds bounds_;
  HandleLifetimes lifetimes_;
  std::vector<Held> held_;  // in order of recording; the first `sorted_` of them in order of time
  size_t sorted_ = 0;
  Time applied_until_ = 0;
  Time as_of_ = 0;  // the moment last chosen
  uint64_t applied_ = 0;
};

}  // namespace culprit
