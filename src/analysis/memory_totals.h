// All of a recording's memory in one pass: blocks of the allocator, and mappings.
#pragma once

#include "analysis/allocation_totals.h"
#include "analysis/mapping_totals.h"

namespace culprit {

class MemoryTotals final : public EventSink {
 public:
  // `kind`: mappings: blocks are passed over. `tables` must outlive it.
  MemoryTotals(const TraceTables& tables, RecordedMemory kind, AllocationKey key, const MemoryLedger::Window& window)
      : kind_(kind),
        blocks_(tables, key, window),
        mappings_(tables, kind == RecordedMemory::blocks ? AllocationKey::stack : key,
                  {window.from, window.to, window.start, window.end}) {}

  void on_allocation(const AllocationEvent& event) override {
    if (kind_ == RecordedMemory::blocks) blocks_.on_allocation(event);
  }
  void on_allocations(std::span<const AllocationEvent> events) override {
    if (kind_ == RecordedMemory::blocks) blocks_.on_allocations(events);
  }
  void on_mapping(const MappingEvent& event) override { mappings_.on_mapping(event); }
  void on_process(const ProcessEvent& event) override {
    blocks_.on_process(event);
    mappings_.on_process(event);
  }
  void on_unreachable(const UnreachableBlocks& unreachable) override { blocks_.on_unreachable(unreachable); }
  void on_loss(const Loss& loss) override { blocks_.on_loss(loss); }
  void on_handle(const HandleEvent&) override {}
  void on_thread(const ThreadEvent&) override {}
  void on_snapshot(const HandleSnapshot&) override {}
  void on_mark(const Mark&) override {}

  // Once, after the last event.
  void finish() {
    blocks_.finish();
    mappings_.finish();
  }

  // What was asked for.
  const MemoryLedger& ledger() const { return kind_ == RecordedMemory::blocks ? blocks_.ledger() : mappings_.ledger(); }
  const MemoryLedger& mappings() const { return mappings_.ledger(); }
  const std::vector<Loss>& losses() const { return blocks_.losses(); }
  uint64_t samples() const { return blocks_.samples(); }

 private:
  RecordedMemory kind_;
  AllocationTotals blocks_;
  MappingTotals mappings_;
};

}  // namespace culprit
