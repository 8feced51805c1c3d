// Where events go: recorders and importers write into one, a recording is replayed into one, analyses are one.
// The ids in events refer to TraceTables, which both sides hold; definitions are interned there before the event that uses them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/allocation_event.h"
#include "model/carried.h"
#include "model/handle_event.h"
#include "model/ids.h"
#include "model/loss.h"
#include "model/mapping_event.h"
#include "model/unreachable_blocks.h"

namespace culprit {

enum class ProcessChange : uint8_t {
  launched,  // by culprit itself, or found running: `parent` is none
  forked,    // `parent`'s table was copied at `time`
  forked_sharing,  // clone(CLONE_FILES): parent and child have one table from now on
  executed,  // a new program image; close-on-exec handles are gone; a snapshot follows
  exited,    // by itself: `status` is the exit code
  killed,    // by a signal: `status` is its number
};

struct ProcessEvent {
  Time time = 0;
  ProcessId process = ProcessId::none;
  ProcessId parent = ProcessId::none;
  ProcessChange change = ProcessChange::launched;
  int32_t status = 0;
  uint32_t tid = 0;                // the thread that forked, executed or exited
  StackId stack = StackId::none;   // of that thread, if known
  uint64_t handle_limit = 0;       // soft RLIMIT_NOFILE; 0: unknown
};

struct ThreadEvent {
  Time time = 0;
  ProcessId process = ProcessId::none;
  uint32_t tid = 0;
  StringId name = StringId::none;
};

struct SnapshotEntry {
  int64_t value = -1;
  StringId type = StringId::none;
  StringId name = StringId::none;
  uint64_t object = 0;  // inode number; 0: unknown

  bool operator==(const SnapshotEntry&) const = default;
};

enum class SnapshotReason : uint8_t { start, exec, exit, periodic, on_demand };

// A process's whole handle table as /proc/PID/fd had it.
struct HandleSnapshot {
  Time begin = 0;  // reading took from begin to end
  Time end = 0;
  ProcessId process = ProcessId::none;
  SnapshotReason reason = SnapshotReason::on_demand;
  bool held = false;          // the process could not change its table meanwhile
  uint64_t handle_limit = 0;  // soft RLIMIT_NOFILE; 0: unknown
  std::vector<SnapshotEntry> entries;  // ascending by value
};

// A named moment; `culprit run --after` sets "start of the window".
struct Mark {
  Time time = 0;
  std::string name;
};

class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void on_handle(const HandleEvent& event) = 0;
  virtual void on_process(const ProcessEvent& event) = 0;
  virtual void on_thread(const ThreadEvent& event) = 0;
  virtual void on_snapshot(const HandleSnapshot& snapshot) = 0;
  virtual void on_mark(const Mark& mark) = 0;
  virtual void on_loss(const Loss& loss) = 0;
  // Only where allocations are recorded, too; for sinks that follow memory. There are many of them.
  virtual void on_allocation(const AllocationEvent&) {}
  // Many at once, in order of time and with nothing else between them: for sinks that do less with one than a call costs,
  // or can prepare for those to come.
  virtual void on_allocations(std::span<const AllocationEvent> events) {
    for (const AllocationEvent& event : events) on_allocation(event);
  }
  virtual void on_mapping(const MappingEvent&) {}
  virtual void on_unreachable(const UnreachableBlocks&) {}
  // From circular recordings whose beginning was overwritten, and before all else: what was open when the window began.
  // For sinks that follow handles; the others have nothing to do.
  virtual void on_carried(const CarriedTable&) {}
};

}  // namespace culprit
