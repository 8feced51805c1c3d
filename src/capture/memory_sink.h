// Of a recorder that records memory alone: hands on allocations of the sizes that are wanted, and what belongs to them.
#pragma once

#include "model/event_sink.h"

namespace culprit {

class MemorySink final : public EventSink {
 public:
  // `tells_of_processes`: false where another recorder does.
  MemorySink(EventSink& next, const BlockSizes& sizes, bool tells_of_processes)
      : next_(next), sizes_(sizes), tells_of_processes_(tells_of_processes) {}

  void on_handle(const HandleEvent&) override {}
  void on_snapshot(const HandleSnapshot&) override {}
  void on_allocation(const AllocationEvent& event) override {
    // What realloc has made of a wanted block may be of any size.
    if (event.action == AllocationAction::release || sizes_.has(event.size)) next_.on_allocation(event);
  }
  void on_mapping(const MappingEvent& event) override { next_.on_mapping(event); }
  void on_process(const ProcessEvent& event) override {
    if (tells_of_processes_) next_.on_process(event);
  }
  void on_thread(const ThreadEvent& event) override {
    if (tells_of_processes_) next_.on_thread(event);
  }
  void on_mark(const Mark& mark) override { next_.on_mark(mark); }
  void on_loss(const Loss& loss) override {
    if (loss.kind != LossKind::table_not_checked) next_.on_loss(loss);
  }

 private:
  EventSink& next_;
  BlockSizes sizes_;
  bool tells_of_processes_;
};

}  // namespace culprit
