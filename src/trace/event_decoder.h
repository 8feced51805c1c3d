// Turns a block's events back into events, in order of time, with the ids of the trace's tables.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "model/event_sink.h"
#include "trace/block.h"
#include "trace/definitions_reader.h"
#include "trace/event_order.h"

namespace culprit {

using RareEvent = std::variant<ProcessEvent, ThreadEvent, HandleSnapshot, Mark, UnreachableBlocks, MappingEvent>;

struct DecodedBlock {
  std::vector<HandleEvent> handles;
  std::vector<RareEvent> rares;
  std::vector<EventPlace> order;             // slot: in handles, beyond its end in rares
  std::vector<AllocationEvent> allocations;  // then there are no others; in order of time
  uint64_t unknown = 0;                      // rare events of kinds that a newer culprit has

  size_t size() const { return allocations.empty() ? order.size() : allocations.size(); }
  Time time_at(size_t position) const {
    return allocations.empty() ? order[position].time : allocations[position].time;
  }
  void drop_until(Time time);  // and with it
  // The event at that position and those behind it that come before `until`. Returns the position behind them.
  size_t send(size_t position, Time until, EventSink& sink) const;

 private:
  void send_one(size_t position, EventSink& sink) const;
};

// nullopt: contradicts the format, the header, or the definitions.
std::optional<DecodedBlock> decode_events(Bytes events, const BlockHeader& header, const BlockNumbers& numbers);
// The same of a block of allocations. `used`: one that is no more needed, for the sake of its memory.
std::optional<DecodedBlock> decode_allocations(Bytes events, const BlockHeader& header, const BlockNumbers& numbers,
                                               DecodedBlock used = {});

}  // namespace culprit
