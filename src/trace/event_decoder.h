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

namespace culprit {

using RareEvent = std::variant<ProcessEvent, ThreadEvent, HandleSnapshot, Mark>;

struct DecodedBlock {
  struct Place {
    Time time;
    uint32_t recorded;  // 0, 1, 2 … in order of recording
    uint32_t slot;      // in handles; beyond its end, in rares
  };
  std::vector<HandleEvent> handles;
  std::vector<RareEvent> rares;
  std::vector<Place> order;  // by time, then by recording

  void send(size_t position, EventSink& sink) const;
};

// nullopt: contradicts the format, the header, or the definitions.
std::optional<DecodedBlock> decode_events(Bytes events, const BlockHeader& header, const BlockNumbers& numbers);

}  // namespace culprit
