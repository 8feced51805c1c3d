// The engine: a process of its own that traces the target for the console's process, so that the target is put right
// when that one dies, however it dies. It works off what comes over a socket (debug_messages.h); at the end of the
// socket, or when it is told to end (SIGTERM), it takes its breakpoints out and lets the target go.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/fd.h"
#include "target/cpu_follower.h"
#include "target/debug_messages.h"
#include "target/held_threads.h"

namespace culprit {

class DebugEngine {
 public:
  DebugEngine(uint32_t pid, VictimMemory memory, Fd socket);

  // Seizes the process and stops it; the answer goes to the socket. Then works until the target or the other end is
  // gone.
  void work();

 private:
  Result<void> attach();
  void wait_for_news();
  void look_at_threads();
  void answer_request(const DebugRequest& request);
  Result<void> answer(const DebugRequest& request, DebugReply& reply);
  void list_threads(uint32_t after, DebugReply& reply);
  Result<void> set_breakpoint(const DebugRequest& request, DebugReply& reply);

  // Of a thread that runs again after a stop nobody has to know of.
  void deal_with(HeldThread& thread);
  bool is_signal_shown(const HeldThread& thread) const;
  std::optional<DebugStop> what_happened(HeldThread& thread);
  std::optional<DebugStop> breakpoint_met(HeldThread& thread);
  std::optional<DebugStop> run_all();
  void run_all_and_tell();
  bool get_past(uint32_t tid);
  DebugStop stop_of_end() const;
  void begin_step(uint32_t tid);
  void finish(DebugStop stop);
  bool stop_everything();
  bool is_handler_gone();
  void detach();

  uint32_t pid_;
  Fd socket_, signals_;
  BreakpointTable table_;
  HeldThreads threads_;
  CpuFollower follower_;
  std::array<bool, 65> stops_at_{};  // by signal
  bool is_going_ = false;            // the other end waits for the target to stop
  bool is_done_ = false;
  uint32_t event_thread_ = 0;  // of the last stop
  uint32_t stepping_thread_ = 0;
  Time next_handler_check_ = 0;
};

}  // namespace culprit
