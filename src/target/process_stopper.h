// Stops all threads of a process at once and lets them run on, as if nothing had happened: no signal is lost, and the
// system calls that were interrupted go on.
#pragma once

#include <functional>
#include <vector>

#include "target/ptrace_threads.h"

namespace culprit {

class ProcessStopper {
 public:
  struct Thread {
    TracedThread traced;
    user_regs_struct registers{};
    bool is_read = false;            // the registers are
    bool has_new_registers = false;  // to be written before it runs on
  };

  // `late`: threads that were asked to stop and did not in time; let go as soon as they do.
  ProcessStopper(uint32_t pid, std::vector<TracedThread>& late) : pid_(pid), late_(late) {}
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
  std::vector<TracedThread>& late_;
  Time stopped_at_ = 0, longest_stop_ = 0;
};

// Lets those of the late ones go that have stopped meanwhile.
void release_late(std::vector<TracedThread>& late);

// How long to wait for all of them at most, the first time and later: mostly it takes a millisecond, and where threads
// are many and the machine is busy, somebody has to wait in the end.
constexpr Time stop_patience_of_try(int tries) { return tries < 20 ? 6'000'000 : 50'000'000; }

}  // namespace culprit
