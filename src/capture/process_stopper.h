// Stops all threads of a process at once and lets them run on, as if nothing had happened: no signal is lost, and the
// system calls that were interrupted go on.
#pragma once

#include <functional>
#include <vector>

#include "capture/ptrace_threads.h"

namespace culprit {

class ProcessStopper {
 public:
  struct Thread {
    TracedThread traced;
    user_regs_struct registers{};
    bool has_new_registers = false;  // to be written before it runs on
  };

  explicit ProcessStopper(uint32_t pid) : pid_(pid) {}
  ~ProcessStopper() { release(); }
  ProcessStopper(const ProcessStopper&) = delete;
  ProcessStopper& operator=(const ProcessStopper&) = delete;

  // All of them, or an error and none: limit (a thread does not stop in time; worth another try), gone, no_access.
  Result<void> stop(Time patience);
  std::vector<Thread>& threads() { return threads_; }
  void release();
  // Between two tries: lets those go that stop only now.
  void rest(Time duration);

  // The longest time so far that a thread stood still.
  Time longest_stop() const { return longest_stop_; }

 private:
  Result<bool> seize_new_threads();
  bool wait_for_all(Time deadline);
  std::string why_not_stopped() const;

  uint32_t pid_;
  std::vector<Thread> threads_;
  std::vector<TracedThread> late_;  // asked to stop, and did not in time: let go as soon as they do
  Time stopped_at_ = 0, longest_stop_ = 0;
};

// A system call that gave up only because its thread was stopped, which its program has no reason to expect: makes it
// go on, unless a signal handler has run meanwhile. True: it was such a one.
bool resume_interrupted_call(user_regs_struct& registers);

}  // namespace culprit
