// A finished or readable recording, whatever it came from: tables, and events in order of time.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/string_pool.h"
#include "model/event_sink.h"
#include "model/module.h"
#include "model/process.h"
#include "model/stack_table.h"

namespace culprit {

// What the ids of events mean. Grows while recording or reading; never shrinks, but can be told not to grow beyond a
// size. Not thread-safe.
struct TraceTables {
  StringPool strings;
  std::vector<Module> modules{Module{}};      // [0] is ModuleId::none
  std::vector<Process> processes{Process{}};  // [0] is ProcessId::none
  StackTable stacks;

  StringId intern(std::string_view text) { return id_at<StringId>(strings.intern(text)); }
  std::string_view text(StringId id) const { return strings.at(static_cast<uint32_t>(id)); }
  const Module& module(ModuleId id) const { return modules.at(index_of(id)); }
  const Process& process(ProcessId id) const { return processes.at(index_of(id)); }

  // Half for strings, half for stacks; modules and processes are few beside them.
  void limit_memory(size_t bytes) {
    strings.limit_memory(bytes / 2);
    stacks.limit_memory(bytes / 2);
  }
  size_t memory() const {
    constexpr size_t process = 3 * sizeof(Process);  // with its texts
    return strings.memory() + stacks.memory() + processes.size() * process;
  }
};

// Facts about the recording as a whole.
struct TraceInfo {
  std::string recorded_by;    // "culprit 0.1.0, agent"
  std::string command;        // what was run
  std::string machine;        // host name, kernel
  int64_t wall_clock_ns = 0;  // CLOCK_REALTIME at `started`
  Time started = 0;
  Time ended = 0;               // last moment the recording covers
  bool complete = true;         // false: the recorder did not finish it
  bool being_recorded = false;  // not complete because its recorder is still at work
  uint64_t circular = 0;        // bytes that a circular recording may take; 0: it is none
  uint64_t allocations = 0;     // 0: none were recorded; 1: all
  Time complete_from = 0;       // of a circular one: everything later is there; 0: nothing is missing
};

class Trace {
 public:
  virtual ~Trace() = default;
  virtual const TraceInfo& info() const = 0;
  virtual const TraceTables& tables() const = 0;
  // Sends every event to the sink in order of time (equal times in order of recording), losses of the recording and of
  // reading it last. Can be called again; the same ids mean the same things each time.
  virtual Result<void> replay(EventSink& sink) = 0;
};

}  // namespace culprit
