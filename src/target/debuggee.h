// A process that is debugged: it stands still, or runs until something happens. An engine in a process of its own does
// the work (debug_engine.h); whatever happens to ours, the target is left as it was.
//
// Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "base/fd.h"
#include "model/ids.h"
#include "target/breakpoint_guard.h"
#include "target/debug_messages.h"

namespace culprit {

// How long the target may run before it is stopped again.
struct RunBound {
  Time duration = 0;  // 0: for ever
  // Asked now and then, and whenever a signal has come: somebody wants to break in.
  std::function<bool()> wants_break_in;
};

class Debuggee {
 public:
  // All of its threads stand still afterwards. Errors: gone, no_access; unsupported: it is our own process.
  static Result<std::unique_ptr<Debuggee>> attach(uint32_t pid);
  // Lets it go.
  ~Debuggee();
  Debuggee(const Debuggee&) = delete;
  Debuggee& operator=(const Debuggee&) = delete;

  uint32_t pid() const { return pid_; }
  uint32_t engine_pid() const { return engine_; }
  // It has ended, or was let go.
  bool is_over() const { return is_over_; }

  // Until something happens. What happened to several threads at a time is told one by one.
  Result<DebugStop> go(const RunBound& bound);
  // One instruction of this thread; the others stand still unless it takes long.
  Result<DebugStop> step(uint32_t tid, const RunBound& bound);

  // Its id. Errors: not_found, unsupported, limit.
  Result<uint32_t> set_breakpoint(const BreakpointRequest& request, const Expression& condition = {});
  Result<void> remove_breakpoint(uint32_t id);
  Result<void> enable_breakpoint(uint32_t id, bool is_enabled);
  Result<std::vector<BreakpointState>> breakpoints();

  Result<std::vector<DebuggedThread>> threads();  // ascending
  Result<DebuggedThread> thread(uint32_t tid);
  Result<void> write_registers(uint32_t tid, const Registers& registers);
  // What is delivered to a thread that stopped for a signal, when it goes on; 0: nothing.
  Result<void> set_signal(uint32_t tid, int signal);
  Result<void> stop_at_signal(int signal, bool does);

  // Its memory without our breakpoints: reads over them.
  bool read_memory(uint64_t address, std::span<std::byte> into);
  bool write_memory(uint64_t address, Bytes bytes);

  // The target runs on as if it had never been debugged.
  Result<void> detach();

 private:
  Debuggee(uint32_t pid, uint32_t engine, Fd socket, VictimMemory memory)
      : pid_(pid), engine_(engine), socket_(std::move(socket)), memory_(std::move(memory)) {}

  Result<DebugReply> ask(const DebugRequest& request);
  Result<DebugReply> reply();
  Result<DebugStop> run(const DebugRequest& request, const RunBound& bound);
  void wait_for_reply(const RunBound& bound);
  tl::unexpected<Error> engine_is_gone();

  uint32_t pid_, engine_;
  Fd socket_;
  VictimMemory memory_;
  std::unique_ptr<BreakpointGuard> guard_;
  std::map<uint64_t, std::byte> originals_;  // under breakpoints that are set, or were
  bool is_over_ = false;
};

}  // namespace culprit
