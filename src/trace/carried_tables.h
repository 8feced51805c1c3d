// The checkpoints of circular recordings as bytes: what was open at one moment, in as many blocks as it needs.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/bytes.h"
#include "model/event_sink.h"
#include "trace/byte_writer.h"
#include "trace/definitions_reader.h"
#include "trace/definitions_writer.h"

namespace culprit {

struct CheckpointHead {
  Time as_of = 0;
  uint64_t events = 0;  // that went into it
  uint32_t part = 0;    // 0, 1, 2 …
  bool is_last = false;
};

// The tables of one part.
class CarriedEncoder {
 public:
  explicit CarriedEncoder(DefinitionsWriter& definitions) : definitions_(definitions) {}

  // All of the table but its handles; those given here follow.
  void add(const CarriedTable& table, std::span<const CarriedHandle> handles);
  size_t size() const { return body_.size(); }
  std::string take(const CheckpointHead& head);  // ready for the next part afterwards

 private:
  DefinitionsWriter& definitions_;
  ByteWriter body_;
  uint64_t tables_ = 0;
};

// nullopt: contradicts the format.
std::optional<CheckpointHead> read_checkpoint_head(Bytes part);
// Sends the tables of a part one by one. False: what followed contradicts the format.
bool read_carried_tables(Bytes part, const BlockNumbers& numbers, EventSink& sink);

}  // namespace culprit
