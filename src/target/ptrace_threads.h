// Threads of another process, held by ptrace.
//
// Everything about one TracedThread must happen in one thread of ours: the kernel lets go of whatever a thread traces
// when that thread ends (as it does when culprit is killed), so that work on a process's threads is best done in a
// thread of its own. Nothing held this way can stay stopped for good. (Single steps are not for here: a thread in the
// middle of one keeps its trap flag when its tracer is killed, and dies of it.)
#pragma once

#include <sys/ptrace.h>
#include <sys/user.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "model/ids.h"

namespace culprit {

// Of /proc/PID/task, ascending; empty: the process is gone.
std::vector<uint32_t> threads_of(uint32_t pid);

// As /proc/PID/task/TID/stat has it: 'R', 'S', 'D' …; 'X': it is gone.
char thread_state_letter(uint32_t pid, uint32_t tid);
// It exits, or has exited and is not reaped: it cannot be traced, and need not.
bool is_ending(uint32_t pid, uint32_t tid);

// All of its threads do, or did.
bool has_ended(uint32_t pid);
// A thread of the process that has not ended, the first one if it can be: where that one has called pthread_exit,
// /proc/PID has no memory, mappings or handles any more, but the folders of the others have. None lives: `pid`.
uint32_t living_thread(uint32_t pid);

// Why a process may not be traced, in a sentence: another user's, being traced already, the setting that forbids it …
Error why_not_traceable(uint32_t pid, int error_number);

enum class ThreadState : uint8_t { running, stopped, gone };

// What a stopped thread stopped for.
struct StopReason {
  int signal = 0;               // a signal about to be delivered; it is delivered when the thread goes on
  bool is_system_call = false;  // entering or leaving one (PTRACE_SYSCALL)
  bool is_interrupt = false;    // as asked for by interrupt(), or together with its process by a stop signal
};

// A system call that gave up only because its thread was stopped, which its program has no reason to expect: changes
// the registers so that it goes on, unless a signal handler has run meanwhile. True: it was such a one.
bool resume_interrupted_call(user_regs_struct& registers);

// Whether it is under seccomp: filters are of threads.
bool has_seccomp_filter(uint32_t tid);
// A wait that was interrupted, and that the kernel would go on with by another system call (restart_syscall): a seccomp
// filter that does not know that one kills the thread for it. Changes the registers of a thread with a filter so that
// it makes its own call again, and waits its whole time. True: it was such a one.
bool repeat_call_if_filtered(uint32_t tid, user_regs_struct& registers);

class TracedThread {
 public:
  // It runs on as if nothing had happened. no_access, gone.
  static Result<TracedThread> seize(uint32_t pid, uint32_t tid);
  TracedThread(TracedThread&& other) noexcept;
  TracedThread& operator=(TracedThread&& other) noexcept;
  ~TracedThread() { let_go(); }

  uint32_t tid() const { return tid_; }
  ThreadState state() const { return state_; }
  const StopReason& reason() const { return reason_; }

  void interrupt();                 // asks it to stop
  ThreadState poll();               // whether it has come to a stop
  ThreadState wait(Time deadline);  // until it stops, ends, or the deadline has passed

  // Only of a stopped thread.
  bool read_registers(user_regs_struct& registers) const;
  std::vector<uint64_t> read_wide_registers() const;  // words of the XSAVE area; empty: they cannot be read
  bool write_registers(const user_regs_struct& registers);
  void forget_signal() { reason_.signal = 0; }  // it is not delivered
  void run_on(__ptrace_request how);            // PTRACE_CONT or PTRACE_SYSCALL; hands on reason().signal
  // It runs on untraced, with the signal it was about to get, and as if it had never been stopped. One that runs is
  // stopped first; if it does not stop at once, it stays traced, and running. `registers`: as they are known to be.
  void let_go(const user_regs_struct* registers = nullptr);
  // One that does not stop is left to the kernel, which lets it go when our thread ends.
  void leave() { state_ = ThreadState::gone; }

 private:
  TracedThread(uint32_t tid) : tid_(tid), state_(ThreadState::running) {}

  uint32_t tid_ = 0;
  ThreadState state_ = ThreadState::gone;
  StopReason reason_;
};

}  // namespace culprit
