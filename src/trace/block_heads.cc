#include "trace/block_heads.h"

namespace culprit {

BlockHeads read_block_heads(ByteReader& reader, const BlockHeader& header, const std::vector<ProcessId>& processes) {
  BlockHeads heads;
  heads.base_time = reader.take<int64_t>();
  uint64_t total = 0;
  for (uint64_t count = reader.take_count(reader.take_uleb128(), 3); count > 0 && reader; --count) {
    SectionHead head;
    head.process = look_up(processes, reader.take_uleb128(), reader);
    head.tid = static_cast<uint32_t>(reader.take_uleb128());
    const uint64_t events = reader.take_uleb128();
    if (events > header.event_count - total) return reader.fail(), heads;
    head.count = static_cast<uint32_t>(events);
    total += events;
    heads.sections.push_back(head);
  }
  for (uint64_t count = reader.take_count(reader.take_uleb128(), 2); count > 0 && reader; --count) {
    const uint64_t section = reader.take_uleb128();
    heads.runs.push_back({section, reader.take_uleb128()});
  }
  return heads;
}

}  // namespace culprit
