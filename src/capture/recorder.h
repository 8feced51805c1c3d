// Recording a program from its launch to the end of its whole tree of processes: what `culprit run` does before it
// reports.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "capture/exiting_process.h"
#include "capture/live_recorder.h"
#include "model/event_sink.h"
#include "model/trace.h"
#include "target/dying_process.h"

namespace culprit {

struct RunRequest {
  std::vector<std::string> command;  // program (looked up in PATH) and its arguments; not empty
  std::string agent_library;         // absolute path of libculprit_agent.so (see `memory`)
  std::string wrappers_library;      // of libculprit_agent_wrappers.so; empty: never wrap
  bool memory = false;               // agent_library is libculprit_agent_heap.so: allocations are recorded, too
  uint32_t sample_bytes = 0;         // of memory, only the block of one byte of so many; 0: all
  bool wrap = false;                 // use the wrappers even where libc can be patched
  MayEnd may_end;                    // of processes with the agent in them; nothing: always
  LookAtDeath look_at_death;  // before a process of the tree dies of a signal that makes cores (not by bpf); from
                              // another thread, for one process at a time; may be empty
  Via via = Via::best;        // the agent, or ptrace for programs that the agent cannot follow
};

// What will record the program: never `best`.
Via chosen_via(const RunRequest& request);

struct RunOutcome {
  bool started = false;
  std::string not_started_why;  // one sentence, when not started
  int not_started_status = 0;   // 127: no such program, 126: it cannot be executed
  uint32_t pid = 0;             // of the program itself
  int wait_status = 0;          // of the program itself (not its children), as waitpid gives it
  bool interrupted = false;     // the user did not wait for processes the program left behind
  TraceInfo info;               // complete, with `ended`
};

// The facts known before the first event (started = now), for whoever writes a header first.
TraceInfo describe_run(const RunRequest& request);

// Launches the command and blocks until every process of its tree has ended, daemons it left behind included; a SIGINT
// or SIGTERM to culprit after the program itself has ended stops that wait. Everything seen goes to `sink` (definitions
// into `tables` before the event that uses them), each thread's in order of time, those of
// different threads a little out of order (they come out of different rings). `tick` is called about once a second,
// from the same thread.
//
// While it runs it owns the process's signal dispositions (restored afterwards), reaps every child process that ends,
// and makes culprit the subreaper of its descendants. One call at a time; must be called from the main thread. An Error
// means that nothing was launched for a reason of ours (no shared memory, agent library missing).
Result<RunOutcome> record_run(const RunRequest& request, TraceTables& tables, EventSink& sink,
                              const std::function<void()>& tick = {});

}  // namespace culprit
