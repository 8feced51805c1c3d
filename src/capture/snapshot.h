// A process's handle table as /proc/PID/fd has it now, for a recording.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "model/event_sink.h"
#include "model/trace.h"

namespace culprit {

// Reads the whole table: number, type, name, inode. Sockets are named by /proc/PID/net, each table of which is read
// only when there is a socket. process, reason and held of the result are the caller's to set. Handles that go or come
// while it reads are missing or in, one by one. Errors: gone (no such process), no_access (another user's process).
Result<HandleSnapshot> read_handle_table(uint32_t pid, TraceTables& tables);

}  // namespace culprit
