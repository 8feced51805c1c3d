// When and how a circular recording writes down what is open (docs/trace-format.md, "Circular recordings"): often
// enough that a whole checkpoint is always among the blocks that survive.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "trace/carried_tables.h"
#include "trace/recording_file.h"
#include "trace/trace_writer.h"

namespace culprit {

class CheckpointWriter {
 public:
  // Seals the encoder's part as a block.
  using Seal = std::function<std::string(const CheckpointHead&, std::string part)>;

  CheckpointWriter(OpenHandleSource& source, DefinitionsWriter& definitions, Seal seal)
      : source_(source), encoder_(definitions), definitions_(definitions), seal_(std::move(seal)) {}

  // After a block of that size went to the file: writes a checkpoint when one is due. Returns the number of handles
  // that had to be left out.
  uint64_t block_written(RecordingFile& file, uint64_t size);

  // From when on the file is complete; nullopt: since its beginning, or not known.
  std::optional<Time> complete_from(const RingSpace& ring) const;

 private:
  struct Written {
    uint64_t lap = 0, offset = 0;  // of its first block
    Time as_of = 0;
  };

  uint64_t write(RecordingFile& file, const OpenHandleSource::Moment& moment);
  void write_part(RecordingFile& file, CheckpointHead& head);

  OpenHandleSource& source_;
  CarriedEncoder encoder_;
  DefinitionsWriter& definitions_;
  Seal seal_;
  uint64_t since_last_ = 0;  // bytes written
  uint64_t last_size_ = 0;   // of the last checkpoint
  std::deque<Written> written_;
};

}  // namespace culprit
