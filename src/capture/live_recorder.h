// A capture back end at work on processes that run already: what `attach`, `handles PID --for` and `record` drive. Each
// back end (bpf, agent, ptrace) is one implementation; capture/ladder chooses.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/event_sink.h"
#include "model/trace.h"

namespace culprit {

enum class Via : uint8_t { best, bpf, agent, ptrace };

// Whose handles to record. What several of the lists name is recorded once; children of recorded processes are
// recorded, too.
struct WatchRequest {
  bool all = false;  // the whole machine
  std::vector<uint32_t> pids;
  bool children = false;              // the programs that culprit itself is about to launch (bpf)
  std::vector<std::string> names;     // of programs, as /proc/PID/comm has them; also those that start later
  std::vector<std::string> cgroups;   // absolute paths below /sys/fs/cgroup; also those that start later
  std::vector<uint32_t> users;        // effective user ids; also those that start later
  bool handles = true;                // what they open and close
  std::optional<BlockSizes> memory;   // allocations of these sizes, from the beginning (of one process, by the agent)
  bool is_second = false;             // another recorder tells of the process itself
  uint64_t buffer_bytes = 16 << 20;   // between the process and the recorder
  uint64_t memory_bytes = 256 << 20;  // cap of what the recorder itself keeps; what the cap costs is counted

  bool is_one_process() const {
    return !all && pids.size() + (children ? 1 : 0) == 1 && names.empty() && cgroups.empty() && users.empty();
  }
};

struct RecorderStatus {
  uint64_t events = 0;      // handed to the sink
  uint64_t lost = 0;        // counted as LossKind::ring_full
  uint32_t processes = 0;   // alive and recorded
  Time longest_stop = 0;    // of a thread of the victim by us, ns; 0: none was stopped
  std::string left_behind;  // after finish(): what could not be taken out of a process, one sentence; empty: nothing
};

class LiveRecorder {
 public:
  // Detaches if finish() was not called: the processes run on as if nothing had been, but the events of the last moment
  // are not recorded.
  virtual ~LiveRecorder() = default;

  // "bpf", "agent", "ptrace": for the recording's header.
  virtual std::string name() const = 0;
  // Does whatever there is to do; events and definitions go to the sink given at creation. True: there was something.
  virtual bool round() = 0;
  // Sleeps until something happens, at most `limit`.
  virtual void sleep(std::chrono::microseconds limit) = 0;
  // Snapshots of the handle tables of all recorded processes, to reconcile with and to name what lives.
  virtual void take_snapshots(SnapshotReason reason) = 0;
  // Counts what was lost since the last call into the sink.
  virtual void hand_on_losses() = 0;
  // A process has ended, and is about to be reaped: `wait_status` is what waitpid gives. For those who launched it.
  virtual void ended(uint32_t /*pid*/, int /*wait_status*/) {}
  // Allocations, too, from now on, and until leave_memory(). unsupported: this back end cannot.
  virtual bool can_record_memory() const { return false; }
  virtual Result<void> record_memory(const BlockSizes& /*sizes*/) {
    return fail(ErrorKind::unsupported, name() + " cannot see what a program allocates");
  }
  virtual Result<void> leave_memory() { return {}; }
  // False when nothing that could be recorded is left (the one process has ended).
  virtual bool has_targets() const = 0;
  virtual RecorderStatus status() const = 0;
  // Final snapshots, everything held back goes to the sink, and the processes are let go: no patch, no thread stopped,
  // no mapping, no BPF program is left. Afterwards only status() may be called.
  virtual void finish() = 0;
};

}  // namespace culprit
