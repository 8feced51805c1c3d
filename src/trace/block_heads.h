// What every block of events begins with, handle events and allocations alike: its threads' sections, and the order in
// which their events were recorded. docs/trace-format.md says how they are meant.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "model/ids.h"
#include "trace/block.h"

namespace culprit {

struct SectionHead {
  ProcessId process = ProcessId::none;
  uint32_t tid = 0, count = 0;  // of events
};
// So many events in a row were recorded of one section.
struct Run {
  uint64_t section = 0, length = 0;
};
struct BlockHeads {
  Time base_time = 0;
  std::vector<SectionHead> sections;
  std::vector<Run> runs;
};

// What the number of a block means; a number that means nothing fails the reader.
template <typename Id>
Id look_up(const std::vector<Id>& ids, uint64_t local, ByteReader& reader) {
  if (local < ids.size()) return ids[local];
  reader.fail();
  return Id{};
}

// Fails the reader where the sections have more events than the block.
BlockHeads read_block_heads(ByteReader& reader, const BlockHeader& header, const std::vector<ProcessId>& processes);

}  // namespace culprit
