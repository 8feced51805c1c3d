// The answer to "who is eating the memory?" of a recording, as plain data. Strings from outside are raw: who prints
// them makes them printable. Bytes are as the program asked for them; times are seconds since the recording began.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/allocation_totals.h"
#include "analysis/handle_report.h"
#include "analysis/report_stack.h"

namespace culprit {

// What of a recording is asked for: it orders the groups, and says which are shown.
enum class AllocationView : uint8_t {
  outstanding,  // alive at the end of the recording, or of their process
  peak,         // alive when most memory was in use
  temporary,    // freed before their thread allocated again
  over_time,    // what was in use when; those first that ever had most
  made,         // all that was allocated, whatever became of it
};
std::string_view name_of(AllocationView view);

enum class AllocationVerdict : uint8_t {
  unreachable,  // nothing pointed to some of it any more as its process ended: a leak
  grows,        // more and more of it lives
  held,         // it lives, but is not getting more
  none,         // nothing of it is left
};
std::string_view name_of(AllocationVerdict verdict);

// All that one stack has allocated (or of one size).
struct AllocationGroup {
  std::string function;                                // of the allocator: "malloc"; of mappings: "mmap"
  std::string mapping;                                 // what kind of a mapping: "anonymous"; of blocks empty
  BlockCount outstanding, unreachable, at_peak, made;  // unreachable: of the outstanding ones
  BlockCount most;                                     // of itself in use at one moment
  double most_at = 0;
  uint64_t indirect = 0;  // of the unreachable blocks: only others of them pointed there
  BlockCount behind;      // unreachable blocks of other groups, to which only these lead
  uint64_t temporary = 0;
  uint64_t smallest = 0, largest = 0;  // block
  AllocationVerdict verdict = AllocationVerdict::none;
  std::string evidence;                        // "12 kB, 25 kB … 96 kB lived at eight moments"
  double rate = 0;                             // bytes per second that it grows; 0: it does not
  double first = 0, last = 0;                  // when the outstanding ones were made
  std::array<uint64_t, growth_looks> looks{};  // bytes alive at equally distant moments, the last one the end
  MemorySeries series{};                       // most bytes in use in equal parts of the time
  ReportStack stack;                           // by stack
};

struct ProcessMemoryReport {
  std::string name;
  uint32_t pid = 0;
  BlockCount made, outstanding, unreachable, most, gone_with_exec;
  double most_at = 0;
  bool looked_at = false;         // as it ended, for what is unreachable
  std::string why_not;            // one sentence; empty: nobody tried, or it was looked at
  uint64_t unknown_releases = 0;  // of blocks made before the recording, or inherited by fork
  bool forked = false;
};

// Beside the blocks, of what was mapped.
struct MappingSummary {
  BlockCount made, outstanding, most;
  double most_at = 0;
  std::vector<AllocationGroup> groups;  // the most outstanding ones
  uint64_t groups_hidden = 0;           // others with something outstanding
  BlockCount hidden;
};

struct AllocationReport {
  std::string command, recorded_by, machine;
  int64_t wall_clock_ns = 0;
  double duration = 0;
  double from = 0, to = 0;  // the window looked at
  bool complete = true;
  uint64_t sampled_every = 0;  // bytes: all numbers below are estimates from that sample; 0: all was recorded
  uint64_t samples = 0;        // blocks that were recorded

  RecordedMemory kind = RecordedMemory::blocks;
  MappingSummary mappings;  // of a report of blocks
  AllocationView view = AllocationView::outstanding;
  AllocationKey by = AllocationKey::stack;
  std::vector<AllocationGroup> groups;  // most first
  uint64_t groups_hidden = 0;           // left out by --top
  BlockCount hidden;                    // what the view counts in those; temporary: blocks
  BlockCount made, outstanding, most;   // most: in use at one moment, by all processes together
  BlockCount unreachable;               // of `outstanding`: of the processes that were looked at as they ended
  uint64_t unreachable_groups = 0;
  bool looked_at_exit = false;  // at least one process was
  double most_at = 0;
  uint64_t released = 0, temporary = 0;
  MemorySeries series{};  // of all together
  uint64_t growing_groups = 0;
  BlockCount growing;                          // outstanding in those
  std::vector<ProcessMemoryReport> processes;  // most outstanding first
  uint64_t suppressed_groups = 0;
  BlockCount suppressed;                     // outstanding; not in the numbers above
  std::vector<SuppressionUse> suppressions;  // handles: blocks

  std::vector<MergedLoss> losses;
  bool exact = true;
};

}  // namespace culprit
