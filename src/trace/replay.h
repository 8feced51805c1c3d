// Sends the events of many blocks to a sink in order of time. A block is taken up when the time of its first event is
// reached and dropped after its last, so memory holds the blocks that overlap, and a few that are decoded ahead in
// other threads; one very late event costs one block more, not all of them.
#pragma once

#include <cstdint>
#include <vector>

#include "model/event_sink.h"
#include "trace/block_scan.h"
#include "trace/recording_bytes.h"

namespace culprit {

struct ReplayLosses {
  uint64_t damaged = 0;      // blocks that turned out unreadable
  uint64_t over_limit = 0;   // blocks left out because too many others overlap them
  uint64_t unknown = 0;      // events of kinds that a newer culprit has
  uint64_t overwritten = 0;  // blocks that a recorder at work has replaced since they were found
};

// `blocks` in order of their first_time.
// Before them, what was open then; `checkpoint` in order of recording.
ReplayLosses replay_carried(const RecordingBytes& bytes, const std::vector<ScannedBlock>& checkpoint, EventSink& sink);
ReplayLosses replay_blocks(const RecordingBytes& bytes, const std::vector<ScannedBlock>& blocks, EventSink& sink);

}  // namespace culprit
