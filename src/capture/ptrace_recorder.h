// Records the handles of one process, and of those it makes, by stopping it at every system call: for programs that no
// agent can be loaded into, and users who may not use BPF. Costs some ten microseconds a system call.
//
// System calls are stopped by PTRACE_SYSCALL only. A seccomp filter that stops just those that matter (RET_TRACE) would
// spare the others, but it stays when culprit dies, and then makes these calls fail: docs/decisions says more.
//
// Limits: 32-bit programs and programs with rights of their own are let go when they are executed; a traced process
// cannot be traced by another (one that asks for it, by PTRACE_TRACEME, is let go).
#pragma once

#include <memory>

#include "capture/live_recorder.h"
#include "capture/tracer.h"

namespace culprit {

class PtraceRecorder final : public LiveRecorder {
 public:
  PtraceRecorder(const WatchRequest& request, TraceTables& tables, EventSink& sink, Tracer::Waits waits);
  ~PtraceRecorder() override;

  // A process that runs, or a child of ours that is about to execute the program: see TracedTree.
  Result<void> attach(uint32_t pid);
  Result<void> adopt(uint32_t pid, Time started, const std::string& why);
  void watch_deaths(const LookAtDeath& look);
  // As waitpid gave it for that process; nothing: it has not ended yet.
  std::optional<int> first_status() const { return tracer_.first_status(); }

  std::string name() const override { return "ptrace"; }
  bool round() override { return tracer_.out().deliver(tables_, sink_); }
  void sleep(std::chrono::microseconds limit) override { tracer_.out().wait(limit); }
  void take_snapshots(SnapshotReason reason) override;
  void hand_on_losses() override;
  bool has_targets() const override { return !tracer_.is_over(); }
  RecorderStatus status() const override;
  void finish() override;

 private:
  TraceTables& tables_;
  EventSink& sink_;
  Tracer tracer_;
  uint64_t told_dropped_ = 0;
  bool is_finished_ = false;
};

// `request` must name one process. Errors: gone, no_access (names the tracer, capability or setting), unsupported.
Result<std::unique_ptr<LiveRecorder>> start_ptrace_recorder(const WatchRequest& request, TraceTables& tables,
                                                            EventSink& sink);

}  // namespace culprit
