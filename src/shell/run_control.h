// Running the console's target: breakpoints as they were typed, and what is to be done when the target stops.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "shell/breakpoint_line.h"
#include "target/debugged_target.h"

namespace culprit {

class Console;
class ConsoleSession;

struct ConsoleBreakpoint {
  uint32_t number = 0;
  BreakpointLine line;
  std::string name;         // of the place, when it was found
  bool is_by_name = false;  // bu: found anew whenever a library is loaded
  bool is_enabled = true;
  uint32_t id = 0;  // the engine's; 0: the place is not there yet
  uint64_t address = 0;
  uint64_t earlier_hits = 0, earlier_matches = 0;  // of the engine's breakpoints before this one
};

class RunControl {
 public:
  // Both must outlive it.
  RunControl(ConsoleSession& session, DebuggedTarget& target) : session_(session), target_(target) {}

  // Stops the target, the first time.
  Result<Debuggee*> debuggee();
  bool is_stopped() { return target_.debuggee() != nullptr; }
  Result<void> detach();

  // ---- breakpoints
  // Its number. A place by name that is not there yet is waited for.
  Result<uint32_t> add(ConsoleBreakpoint breakpoint);
  Result<void> remove(uint32_t number);
  Result<void> enable(uint32_t number, bool is_enabled);
  const std::vector<ConsoleBreakpoint>& breakpoints() const { return breakpoints_; }
  Result<std::vector<BreakpointState>> states();

  // ---- running; the text says why it stands again
  // `duration`: 0 for ever.
  void go(Console& console, Time duration);
  void step(Console& console, bool over, uint64_t count);
  void go_up(Console& console, Time duration);
  void go_to(Console& console, uint64_t address, Time duration);
  // A breakpoint's commands want the target to run on. False: there are none at work.
  bool go_on_after_commands();

 private:
  Result<uint64_t> address_of(const std::string& where);
  Result<void> bind(ConsoleBreakpoint& breakpoint);
  Result<void> unbind(ConsoleBreakpoint& breakpoint);
  Result<void> follow_library(ConsoleBreakpoint& breakpoint);
  Result<void> follow_libraries();
  Result<void> watch_for_libraries();
  // True: it is to run on.
  bool stopped(Console& console, const DebugStop& stop);
  bool breakpoint_met(Console& console, const DebugStop& stop);
  void execed(Console& console);
  void run_until(Console& console, uint64_t address, uint32_t tid, uint64_t above_stack, Time duration);
  std::string about_thread(uint32_t tid);
  std::string about_place();
  std::string about(const DebugStop& stop);

  ConsoleSession& session_;
  DebuggedTarget& target_;
  std::vector<ConsoleBreakpoint> breakpoints_;
  uint32_t next_number_ = 0;
  uint32_t library_watch_ = 0;  // the engine's breakpoint where libraries are told of; 0: none
  uint32_t until_ = 0;          // the engine's breakpoint that ends p, gu or g ADDRESS
  bool is_in_commands_ = false, goes_on_ = false;
};

}  // namespace culprit
