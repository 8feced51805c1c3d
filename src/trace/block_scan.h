// Finds the whole blocks of a recording, reads their definitions, and says what is missing between and after them.
#pragma once

#include <cstdint>
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
  BlockNumbers numbers;
};

struct BlockScan {
  std::vector<ScannedBlock> blocks;  // that have events, in order of recording
  uint64_t damaged = 0;              // blocks that are there and unreadable, or were cut out
  uint64_t over_limit = 0;           // blocks left out to stay within the reader's bounds
  uint64_t unknown = 0;              // blocks of a kind or version made by a newer culprit
  uint64_t first_damage = 0;         // file offset, where damaged > 0
  bool has_end = false;              // the end block was found, and nothing after it
};

// What the file header says, and where it ends. An error here ends it all.
struct FileHeader {
  TraceInfo info;
  uint64_t end = 0;
};
Result<FileHeader> read_file_header(const RecordingBytes& bytes, const std::string& name, Checksums checksums);

BlockScan scan_blocks(const RecordingBytes& bytes, uint64_t offset, DefinitionsReader& definitions,
                      Checksums checksums);

}  // namespace culprit
