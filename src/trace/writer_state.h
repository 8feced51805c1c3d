// What TraceWriter is inside. For trace_writer.cc only.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "trace/allocation_encoder.h"
#include "trace/checkpoint_writer.h"
#include "trace/definitions_writer.h"
#include "trace/event_encoder.h"
#include "trace/losses.h"
#include "trace/recording_file.h"
#include "trace/trace_format.h"
#include "trace/trace_writer.h"

namespace culprit {

struct TraceWriter::State {
  State(RecordingFile recording, const TraceTables& all_tables, const WriterLimits& bounds);
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  template <typename Event>
  void add(const Event& event) {
    if (full) return ++refused, void();
    events.add(event);
    if (events.size() + definitions.size() >= block_bytes || events.count() >= trace_format::full_block_events)
      close_block();
  }
  void add_allocation(const AllocationEvent& event) {
    if (full) return ++refused, void();
    allocations.add(event);
    if (allocations.size() + allocation_definitions.size() >= allocation_block_bytes ||
        allocations.count() >= trace_format::full_block_allocations)
      close_allocation_block();
  }
  void lose(const Loss& loss) {
    add_loss(new_losses, loss);
    add_loss(all_losses, loss);
  }
  void close_block();
  void close_allocation_block();
  void close_end_block(const TraceInfo& final);
  std::vector<Loss> losses_so_far(uint64_t blocks_missing) const;

  RecordingFile file;
  const TraceTables& tables;
  const WriterLimits limits;
  size_t block_bytes = trace_format::full_block_bytes;  // raw, of a full block
  DefinitionsWriter definitions;
  EventEncoder events;
  size_t allocation_block_bytes = 4 * trace_format::full_block_bytes;
  DefinitionsWriter allocation_definitions;
  AllocationEncoder allocations;
  std::optional<CheckpointWriter> checkpoints;
  std::vector<Loss> new_losses;  // since the last block
  std::vector<Loss> all_losses;  // what the end block says; blocks may get lost, and their losses with them
  Past past;
  bool full = false;
  uint64_t refused = 0;  // events, since it was full
  bool finished = false;

 private:
  std::string seal(DefinitionsWriter& of_block, BlockHeader facts, std::string raw_events, std::string_view info);
  template <typename Encoder>
  std::string seal_events(trace_format::BlockKind kind, DefinitionsWriter& of_block, Encoder& encoder);
  void append(std::string block, uint32_t event_count);
};

}  // namespace culprit
