// A process, its threads and all that comes of them under ptrace: what each stop means, and what becomes of it. To be
// used by one thread only, which is the tracer.
#pragma once

#include <signal.h>

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "capture/hand_over.h"
#include "capture/loss_counter.h"
#include "capture/process_book.h"
#include "capture/traced_handles.h"
#include "capture/traced_process.h"
#include "capture/tracee_stacks.h"
#include "target/dying_process.h"

namespace culprit {

class TracedTree {
 public:
  explicit TracedTree(HandOver& out)
      : tables_(out.tables()),
        out_(out),
        book_(tables_, out),
        stacks_(tables_),
        handles_(tables_, out, losses_, stacks_) {}

  // A process that runs: all its threads are stopped while its handle table is read, then it runs on under our eyes.
  // `why` for Process::sight_reason.
  Result<void> attach(uint32_t pid, const std::string& why);
  // A child of ours that waits before it executes the program, and will be looked at from then on.
  Result<void> adopt(uint32_t pid, Time started, const std::string& why);

  // waitpid gave this status for a thread.
  void on_change(uint32_t tid, int status);

  // Processes are looked at before they die of a signal that makes cores.
  void watch_deaths(LookAtDeath look) { watch_death_ = std::move(look); }

  void take_snapshots(SnapshotReason reason);
  void hand_on_losses();
  // Stops all, looks at the tables once more, and lets all go. What cannot be stopped for long is let go when the
  // calling thread ends.
  void release();

  size_t living() const { return processes_.size(); }
  size_t threads() const { return threads_.size(); }
  Time longest_stop() const { return longest_stop_; }
  // As waitpid gave it for the first process.
  std::optional<int> first_status() const { return first_status_; }

  // waitpid without waiting, for `option` __WNOTHREAD or 0; handles one change. False: there is none.
  bool poll();
  void set_wait_option(int option) { wait_option_ = option; }

 private:
  Tracee& add_thread(uint32_t tid, TracedProcess* process);
  void remove_thread(uint32_t tid);
  TracedProcess& add_process(WatchedProcess& book);
  WatchedProcess& introduce(uint32_t pid, Time time, const std::string& why);
  Result<void> seize_threads(TracedProcess& process);
  void stop_all();
  bool all_stopped() const;
  std::vector<Tracee*> stopped_threads();

  void on_stop(Tracee& thread, int status, Time now);
  void on_signal(Tracee& thread, int signal);
  void look_at_deaths(uint32_t asking);
  void look_at_death(const Tracee& thread, const siginfo_t& end);
  bool is_ended_by_filter(const Tracee& thread) const;
  void on_call(Tracee& thread, Time now);
  void on_entry(Tracee& thread);
  void on_trace_request(Tracee& thread);
  void on_interrupted(Tracee& thread, int signal);
  void on_fork(Tracee& thread, Time now);
  void on_exec(Tracee& thread, Time now);
  void on_first_exec(Tracee& thread);
  void on_next_exec(Tracee& thread, Time now);
  void on_exiting(Tracee& thread);
  void on_end(uint32_t tid, int status, Time now);
  void find_parents();
  bool is_free(const Tracee& thread) const;
  void go_on_waiting();
  void go_on(Tracee& thread);
  void run_on(Tracee& thread);

  void let_go(Tracee& thread);
  void let_go(TracedProcess& process, Tracee& asking, const std::string& why);
  void snapshot(TracedProcess& process, uint32_t tid, SnapshotReason reason, bool is_held);

  TraceTables& tables_;
  HandOver& out_;
  LossCounter losses_;
  ProcessBook book_;
  TraceeStacks stacks_;
  TracedHandles handles_;
  std::unordered_map<uint32_t, Tracee> threads_;
  std::unordered_map<uint32_t, std::unique_ptr<TracedProcess>> processes_;  // by pid; none that was let go
  bool is_holding_ = false;                                                 // whoever stops stays stopped
  LookAtDeath watch_death_;
  std::vector<uint32_t> dying_;  // threads that are about to die, and have not been looked at
  int wait_option_ = 0;
  uint32_t first_pid_ = 0;
  struct Awaited {  // executes the program soon
    uint32_t pid = 0;
    Time started = 0;
    std::string why;
  } awaited_;
  std::optional<int> first_status_;
  Time longest_stop_ = 0;
  uint64_t told_refused_ = 0;
};

}  // namespace culprit
