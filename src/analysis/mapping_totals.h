// Works out, from a recording's mappings in one pass, what each stack (or size) has mapped, and what of it lives at the
// end. A mapping lives until its last byte is unmapped, or something else is mapped there; mremap takes it elsewhere.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "analysis/allocation_totals.h"
#include "analysis/mapped_ranges.h"
#include "analysis/memory_ledger.h"
#include "model/event_sink.h"

namespace culprit {

class MappingTotals final : public EventSink {
 public:
  // `tables` must outlive it. Events must come in order of time. Mappings of one stack that are of different kinds are
  // told apart.
  MappingTotals(const TraceTables& tables, AllocationKey key, const MemoryLedger::Window& window);

  void on_mapping(const MappingEvent& event) override;
  void on_process(const ProcessEvent& event) override;
  void on_handle(const HandleEvent&) override {}
  void on_thread(const ThreadEvent&) override {}
  void on_snapshot(const HandleSnapshot&) override {}
  void on_mark(const Mark&) override {}
  void on_loss(const Loss&) override {}

  // Once, after the last event.
  void finish();

  const MemoryLedger& ledger() const { return ledger_; }

 private:
  struct Mapping {
    uint64_t bytes = 0;  // 0: it is gone, and the place is free
    Time made = 0;
    uint32_t group = 0;
    MappingKind kind = MappingKind::anonymous;
    bool is_counted = false;  // made in the window
  };
  // What mremap has taken away and not yet put somewhere: ascending, by distance from where it began.
  struct Piece {
    uint64_t start, end;
    uint32_t mapping;
  };
  struct Process {
    MappedRanges ranges;
    std::unordered_map<uint32_t, std::vector<Piece>> moving;  // by thread
  };

  void map(const MappingEvent& event, Process& process);
  void leave(const MappingEvent& event, Process& process);
  void arrive(const MappingEvent& event, Process& process);
  uint32_t begin_mapping(const MappingEvent& event, MappingKind kind);
  void gain(uint32_t mapping, uint64_t bytes, ProcessMemory& memory, Time time);
  void lose(uint32_t mapping, uint64_t bytes, ProcessMemory& memory);
  void drop(std::vector<Piece>& pieces, ProcessMemory& memory);
  uint32_t total_of(const MappingEvent& event, MappingKind kind);
  template <typename Visit>
  void end_all(ProcessId id, Visit visit);

  MemoryLedger ledger_;
  AllocationKey key_;
  std::vector<Process> processes_;  // index: ProcessId
  std::vector<Mapping> mappings_;
  std::vector<uint32_t> free_;                       // places in mappings_
  std::unordered_map<uint64_t, uint32_t> total_of_;  // index of a total, by stack and kind, or size and kind
};

}  // namespace culprit
