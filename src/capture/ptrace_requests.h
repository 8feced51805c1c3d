// The requests of ptrace(2) by which whole trees of processes are followed (ptrace_threads.h holds single threads),
// each about one thread. All must come from the thread that seized it. A thread may be killed at any moment, so each
// may fail, and what was asked is then not there.
#pragma once

#include <signal.h>
#include <sys/user.h>

#include <array>
#include <cstdint>
#include <optional>

namespace culprit::tracing {

// 0, or errno. The thread runs on; it and its children will stop for us.
int seize(uint32_t tid);
void interrupt(uint32_t tid);
// Until its next system call, signal or event; `signal` is delivered, unless 0.
void go_on(uint32_t tid, int signal);
// Stays stopped by a stop signal, and may be continued by SIGCONT.
void listen(uint32_t tid);
void let_go(uint32_t tid, int signal);

std::optional<user_regs_struct> registers(uint32_t tid);
// Of a stop for a signal.
std::optional<siginfo_t> signal_info(uint32_t tid);
bool is_32_bit(const user_regs_struct& registers);
// Of a stop for fork, exec or exit.
uint64_t event_message(uint32_t tid);

// A thread that stopped for a system call.
struct CallStop {
  enum class At : uint8_t { entry, exit } at = At::entry;
  bool is_64_bit = true;
  uint64_t number = 0;                  // at entry
  std::array<uint64_t, 6> arguments{};  // at entry
  int64_t result = 0;                   // at exit; -errno when it failed
};
std::optional<CallStop> call_stop(uint32_t tid);

// A thread stopped because it was interrupted: a call that fails with EINTR for no other reason begins anew.
void mend_interrupted_call(uint32_t tid);

}  // namespace culprit::tracing
