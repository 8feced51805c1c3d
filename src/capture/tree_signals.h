// What signals do to culprit while a program runs under it: as if culprit were not there.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <array>
#include <cstdint>

namespace culprit {

// Taken over while it lives, restored afterwards. One at a time. While the program runs:
//  * SIGINT and SIGQUIT from the terminal reach the program by themselves and do nothing to culprit; sent to culprit,
//  they are
//    handed on, like SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2. What was ignored stays ignored.
//  * each signal moves `doorbell`, so that a collector about to sleep on it wakes up.
// After program_ended(), SIGINT and SIGTERM set stop_requested() instead.
class TreeSignals {
 public:
  explicit TreeSignals(uint32_t& doorbell);
  ~TreeSignals();
  TreeSignals(const TreeSignals&) = delete;
  TreeSignals& operator=(const TreeSignals&) = delete;

  // Blocks every signal until program_started(): no handler of ours may run in the forked child.
  void hold();
  void program_started(pid_t pid);  // 0: it did not start
  void program_ended();
  bool stop_requested() const;

  // In the forked child: everything as culprit found it.
  void restore_in_child() const;

 private:
  void restore() const;

  static constexpr std::array handled = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD};
  std::array<struct sigaction, handled.size()> original_{};
  sigset_t original_mask_{};
};

}  // namespace culprit
