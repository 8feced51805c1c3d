// Finds the whole blocks of a recording, reads their definitions, and says what is missing between and after them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/trace.h"
#include "trace/block.h"
#include "trace/definitions_reader.h"
#include "trace/recording_bytes.h"
#include "trace/trace_reader.h"

namespace culprit {

struct ScannedBlock {
  BlockHeader header;
  uint64_t events_offset = 0;  // in the file
  uint32_t recorded = 0;       // 0, 1, 2 … in order of recording
  Time after = INT64_MIN;      // only its events later than this are to be sent
  bool in_ring = false;        // so its recorder may overwrite it while we read
  BlockNumbers numbers;
};

// What is left of a circular recording whose beginning was overwritten.
struct ScannedWindow {
  Time complete_from = 0;
  uint64_t events_before = 0;            // that were recorded, and are gone
  std::vector<ScannedBlock> checkpoint;  // what was open at complete_from; empty: not known
};

struct BlockScan {
  std::vector<ScannedBlock> blocks;  // that have events, in order of recording
  uint64_t damaged = 0;              // blocks that are there and unreadable, or were cut out
  uint64_t over_limit = 0;           // blocks left out to stay within the reader's bounds
  uint64_t unknown = 0;              // blocks of a kind or version made by a newer culprit
  uint64_t first_damage = 0;         // file offset, where damaged > 0
  bool has_end = false;              // the end block was found, and nothing after it
  std::optional<ScannedWindow> window;
};

// What the file header says, and where it ends. An error here ends it all.
struct FileHeader {
  TraceInfo info;
  uint64_t end = 0;
};
Result<FileHeader> read_file_header(const RecordingBytes& bytes, const std::string& name, Checksums checksums);

BlockScan scan_blocks(const RecordingBytes& bytes, uint64_t offset, DefinitionsReader& definitions,
                      Checksums checksums);
// The same for a circular recording, where blocks lie in any order and between them what is left of older ones.
BlockScan scan_ring(const RecordingBytes& bytes, uint64_t offset, DefinitionsReader& definitions, Checksums checksums);

// A block that is whole: its definitions, and what that says for the scan. nullopt: it cannot be used.
std::optional<BlockNumbers> take_up(const BlockHeader& header, uint64_t offset, Bytes packed_definitions,
                                    DefinitionsReader& definitions, BlockScan& scan);

}  // namespace culprit
