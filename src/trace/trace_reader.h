// Reads a recording (docs/trace-format.md), complete or not, whole or not.
//
// Opening checks every block and reads all definitions, so tables() is complete before the first replay() and does not
// change afterwards. Events are decoded during replay(), a few blocks ahead in threads of its own.
//
// replay(): a snapshot stands at its `begin` in the order of time. Losses come last: those of the recorder, then
// block_damaged, memory_limit and recording_incomplete as found here.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "model/trace.h"

namespace culprit {

// Fails where nothing can be read: no such file, a directory, empty, not a recording, of a newer version, its header
// damaged. Damage further on skips blocks, and is counted as losses. The sentence names the file and, where it is about
// bytes, the offset.
Result<std::unique_ptr<Trace>> open_trace(const std::string& path);

enum class Checksums : uint8_t { verify, ignore };

// The same over memory, which must outlive the trace; `name` stands in errors. Fuzzers ignore checksums, to get behind
// them.
Result<std::unique_ptr<Trace>> open_trace_in_memory(Bytes recording, const std::string& name,
                                                    Checksums checksums = Checksums::verify);

}  // namespace culprit
