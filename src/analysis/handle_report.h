// The answer to "who leaked this handle?" as plain data: text, JSON, HTML and the web page print this and nothing else.
// All strings from outside (names, paths, functions) are raw: who prints them makes them printable. Times are seconds
// since the recording began, durations are seconds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/handle_life.h"
#include "analysis/report_stack.h"
#include "model/loss.h"
#include "model/process.h"

namespace culprit {

// What culprit thinks of the handles of one group.
enum class Verdict : uint8_t {
  grows,                // made again and again, not closed: a leak
  sometimes_forgotten,  // the same stack closes most of its handles, but not these: a leak
  hidden_by_exit,       // processes that have ended left them open: a leak when it grew inside a process
  held,                 // few, early, not growing: probably meant
  unknown_origin,       // no creation was seen
  none,                 // all were closed
};

std::string_view name_of(HowCreated how);    // "open" … "unknown origin"
std::string_view name_of(HowClosed how);     // "still open", "close" …
std::string_view name_of(Verdict verdict);   // "grows", "sometimes forgotten" …

// One blame rule that passed over frames of the stacks shown.
struct BlameRuleUse {
  std::string rule;    // its name
  std::string reason;  // why such frames are not to blame
  uint64_t frames = 0;
};

struct HandleExample {
  int64_t value = -1;
  std::string name;
  std::string process;  // owning
  uint32_t pid = 0;
  double created = 0;
  double age = 0;  // until closed, or the end of the recording
};

struct ProcessCount {
  std::string name;
  uint32_t pid = 0;
  uint64_t count = 0;
};

// Lifetimes of the handles of a group that were closed, within the precision of the buckets (about 10 %).
struct LifetimeSummary {
  uint64_t count = 0;
  double median = 0;
  double p90 = 0;
  double longest = 0;
};

struct ClosingPlace {
  uint64_t count = 0;
  ReportStack stack;
};

// Handles of one type made by one stack. Inherited, existing and unknown ones are never in a group.
struct HandleGroup {
  std::string type;
  std::string call;    // system call that made the first one: "openat", "dup2"
  uint64_t count = 0;  // outstanding: alive at the end, or closed only by exit
  uint64_t created = 0;
  uint64_t closed = 0;                           // by close, replaced or exec
  uint64_t at_exit = 0;                          // of `count`: closed only by the end of their process
  uint64_t created_by[how_created_count] = {};   // index: HowCreated
  uint64_t closed_by[how_closed_count] = {};     // index: HowClosed
  HowCreated how_created = HowCreated::open;     // the most frequent
  HowClosed how_closed = HowClosed::still_open;  // of the outstanding ones: still_open or exit, the more frequent

  Verdict verdict = Verdict::none;
  bool leak = false;     // what --fail-on-leak asks for
  std::string evidence;  // "0 of 1,000 closed, made at 100/s from start to end"
  double rate = 0;       // outstanding ones per second of the time in which they were made; 0: not growing
  double first_created = 0, last_created = 0;
  std::vector<uint32_t>
      series;                // outstanding ones by time of creation, in equal buckets from the start of the recording
  double series_bucket = 0;  // seconds of each of them

  std::vector<ProcessCount> creating, owning,
      closing;                               // most frequent first, a few; counts of all handles of the group
  uint64_t processes = 0;                    // owning processes in all
  LifetimeSummary lifetimes;                 // of the closed ones
  std::vector<HandleExample> examples;       // outstanding ones, oldest first, a few
  ReportStack stack;                         // creating
  std::vector<ClosingPlace> closing_stacks;  // where the others were closed, a few; only for sometimes_forgotten
};

struct ReportHandle {
  int64_t value = -1;
  std::string type, name;
  uint64_t object = 0;  // handles with the same number are on one object
  uint64_t inode = 0;   // 0: unknown
  HowCreated how_created = HowCreated::open;
  HowClosed how_closed = HowClosed::still_open;
  ProcessCount creating, owning, closing;  // count unused; closing.pid 0: still open
  uint32_t created_tid = 0, closed_tid = 0;
  std::string created_call, closed_call;
  double created = 0, closed = 0;
  std::optional<size_t> group;  // index into HandleReport::groups; none: not in a group that is shown
  ReportStack creating_stack;   // filled only for handles without a group that have one
};

struct TypeTotal {
  std::string type;
  uint64_t created = 0, closed = 0, outstanding = 0;
};

// Time until the limit, with the numbers it comes from.
struct TimeLeft {
  uint64_t limit = 0;    // soft RLIMIT_NOFILE
  uint64_t open = 0;     // at the end of the window
  double growth = 0;     // net handles per second
  double seconds = 0;    // (limit - open) / growth
  std::string sentence;  // "at this rate the limit of 1,024 is reached in about 3 min"
};

enum class ProcessEnd : uint8_t { running, exited, killed };

struct ProcessReport {
  std::string name, command;
  uint32_t pid = 0, parent_pid = 0;
  double started = 0;
  std::optional<double> ended;
  ProcessEnd end = ProcessEnd::running;
  int32_t status = 0;  // exit code, or signal number when killed
  Sight sight = Sight::agent;
  std::string sight_reason;
  uint64_t created = 0;               // open, duplicate, receive
  uint64_t inherited = 0;             // from its parent, or there at the start
  uint64_t closed = 0;                // by close, replaced, exec
  uint64_t failed_closes = 0;         // closes of numbers that were not open (information)
  uint64_t open_at_end = 0;           // still open at the end of the recording, or closed by exit
  uint64_t most_open = 0;             // highest number at one time
  uint64_t limit = 0;                 // soft RLIMIT_NOFILE; 0: unknown
  std::optional<TimeLeft> time_left;  // only where something leaks
};

struct UnknownHandle {
  int64_t value = -1;
  std::string type, name, process;
  uint32_t pid = 0;
  double seen = 0;  // when it was first seen
  HowClosed how_closed = HowClosed::still_open;
};

struct SuppressionUse {
  std::string name;
  size_t line = 0;                   // in the suppressions file
  uint64_t groups = 0, handles = 0;  // 0: unused
};

struct MergedLoss {
  LossKind kind = LossKind::ring_full;
  uint64_t count = 0;
  std::vector<std::string> details;  // distinct, a few
};

struct HandleReport {
  // the target
  std::string command, recorded_by, machine;
  int64_t wall_clock_ns = 0;  // when it began
  uint32_t pid = 0;           // of the launched program
  ProcessEnd end = ProcessEnd::running;
  int32_t status = 0;
  double duration = 0;
  double window_start = 0;  // --after
  bool complete = true;     // the recorder finished

  // the answer
  std::vector<HandleGroup> groups;          // worst first: leaks, own code, count
  uint64_t groups_hidden = 0;               // left out by --top
  uint64_t handles_hidden = 0;              // outstanding ones in those
  uint64_t leaking_groups = 0, leaked = 0;  // of all groups, hidden ones, too; suppressed ones not
  uint64_t created = 0, closed = 0, outstanding = 0, inherited = 0, existing = 0;
  uint64_t before_window = 0;            // made before --after and ignored
  std::vector<TypeTotal> types;          // most outstanding first
  std::vector<ProcessReport> processes;  // in order of start
  std::vector<UnknownHandle> unknown;    // up to a bound; unknown_total counts all
  uint64_t unknown_total = 0;
  std::vector<ReportHandle> handles;         // one by one, only on request
  uint64_t handles_left_out = 0;             // beyond the bound of that list
  std::vector<BlameRuleUse> rules;           // that passed over frames shown here
  std::vector<SuppressionUse> suppressions;  // all of the file, used or not
  uint64_t suppressed_groups = 0, suppressed_handles = 0;

  std::vector<MergedLoss> losses;
  bool exact = true;  // no loss that makes a result partial

  bool has_leak() const { return leaking_groups != 0; }
};

}  // namespace culprit
