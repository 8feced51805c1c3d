// A block as it lies in the file: header, compressed definitions, compressed events. What is inside them is
// not known here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "model/ids.h"
#include "trace/trace_format.h"

namespace culprit {

uint64_t checksum_of(std::string_view bytes);  // XXH3, 64 bits

// Facts that stand in a block's header. Of a file they are claims until checked.
struct BlockHeader {
  uint16_t kind = 0;
  uint16_t version = 0;
  uint64_t sequence = 0;
  Time first_time = 0;  // over all events of the block
  Time last_time = 0;
  uint32_t event_count = 0;
  uint32_t definitions_size = 0, definitions_raw_size = 0;
  uint32_t events_size = 0, events_raw_size = 0;
  uint64_t payload_checksum = 0;

  uint64_t payload_size() const { return uint64_t{definitions_size} + events_size; }
};

// Turns raw definitions and events into the bytes of a block. The sizes and checksum in `facts` are filled in here; the
// sequence number may be changed later by set_sequence.
std::string seal_block(const BlockHeader& facts, std::string_view definitions, std::string_view events);
void set_sequence(std::string& sealed_block, uint64_t sequence);

// nullopt: these bytes (of sizeof(RawBlockHeader)) do not begin a block of a kind this version could have written. A
// wrong checksum is overlooked on request, a bound is not.
std::optional<BlockHeader> parse_block_header(Bytes bytes, bool verify_checksum);

// nullopt: not what was announced. Memory grows with what really comes out, never with `raw_size` alone.
std::optional<std::string> decompress(Bytes compressed, uint32_t raw_size);

}  // namespace culprit
