// A sink that keeps everything, and the tables its ids refer to.
#pragma once

#include <string>
#include <vector>

#include "model/event_sink.h"
#include "model/trace.h"

namespace culprit {

class CollectedEvents : public EventSink {
 public:
  TraceTables tables;
  std::vector<HandleEvent> handles;
  std::vector<ProcessEvent> processes;
  std::vector<HandleSnapshot> snapshots;
  std::vector<Loss> losses;
  std::vector<AllocationEvent> allocations;

  void on_handle(const HandleEvent& event) override { handles.push_back(event); }
  void on_process(const ProcessEvent& event) override { processes.push_back(event); }
  void on_thread(const ThreadEvent&) override {}
  void on_snapshot(const HandleSnapshot& snapshot) override { snapshots.push_back(snapshot); }
  void on_mark(const Mark&) override {}
  void on_allocation(const AllocationEvent& event) override { allocations.push_back(event); }
  void on_loss(const Loss& loss) override { losses.push_back(loss); }

  uint64_t lost(LossKind kind) const {
    uint64_t count = 0;
    for (const Loss& loss : losses) count += loss.kind == kind ? loss.count : 0;
    return count;
  }
  size_t changes(ProcessChange change) const {
    size_t count = 0;
    for (const ProcessEvent& event : processes) count += event.change == change;
    return count;
  }
};

}  // namespace culprit
