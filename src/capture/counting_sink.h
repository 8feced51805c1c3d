// Hands everything on, and counts what a status is asked for.
#pragma once

#include "model/event_sink.h"

namespace culprit {

class CountingSink final : public EventSink {
 public:
  explicit CountingSink(EventSink& next) : next_(next) {}

  uint64_t events() const { return events_; }
  uint64_t lost() const { return lost_; }  // events that found no room

  void on_handle(const HandleEvent& event) override {
    events_++;
    next_.on_handle(event);
  }
  void on_allocation(const AllocationEvent& event) override {
    events_++;
    next_.on_allocation(event);
  }
  void on_mapping(const MappingEvent& event) override {
    events_++;
    next_.on_mapping(event);
  }
  void on_process(const ProcessEvent& event) override {
    events_++;
    next_.on_process(event);
  }
  void on_thread(const ThreadEvent& event) override { next_.on_thread(event); }
  void on_snapshot(const HandleSnapshot& snapshot) override { next_.on_snapshot(snapshot); }
  void on_mark(const Mark& mark) override { next_.on_mark(mark); }
  void on_loss(const Loss& loss) override {
    lost_ += loss.kind == LossKind::ring_full ? loss.count : 0;
    next_.on_loss(loss);
  }

 private:
  EventSink& next_;
  uint64_t events_ = 0, lost_ = 0;
};

}  // namespace culprit
