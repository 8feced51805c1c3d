// The threads of a process that is debugged: all of them, those made later, and children of it that share its memory.
// Each either runs, or is stopped for a reason that is known and not dealt with until somebody does.
//
// Whoever waits for a stop has it: should we be killed afterwards, the kernel takes the signal that it was about for
// delivered, and a thread behind an int3 would run on from there. So the kernel is first only asked what there is
// (WNOWAIT), and a stop is taken once the thread could go on without us, or not at all where it is sent on at once.
//
// Everything here must happen in one thread of a process that traces nothing else.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "model/ids.h"
#include "target/breakpoint_table.h"

namespace culprit {

enum class StoppedBy : uint8_t {
  nothing,      // it runs
  interrupt,    // because we asked, or for something that concerns nobody
  job_control,  // together with its process, by SIGSTOP and the like, until SIGCONT
  breakpoint,   // of ours, at registers.rip
  single_step,
  signal,  // about to be delivered
  exec,    // its program is another one now
};

struct HeldThread {
  uint32_t tid = 0;
  uint32_t process = 0;  // not the target's: a child that shares the memory
  StoppedBy stopped_by = StoppedBy::nothing;
  bool is_news = false;          // what it stopped for was not looked at yet
  bool is_within_call = false;   // that makes a thread or process, or has executed a program
  bool waits_for_child = false;  // inside vfork, where it cannot be stopped
  bool is_stepping = false;      // a single step was begun and is not over
  bool has_new_registers = false;
  bool trap_was_blocked = false;  // SIGTRAP was, in its signal mask
  int signal = 0;                 // delivered when it goes on
  int signal_code = 0;
  uint32_t sender = 0;
  uint64_t fault_address = 0;
  uint64_t passed = 0;                  // a breakpoint whose hit was counted, and that it has still to get past
  Registers registers;                  // when stopped: as the program would have them
  uint64_t real_rip = 0, real_rsp = 0;  // as they are

  bool is_stopped() const { return stopped_by != StoppedBy::nothing; }
};

// How a process or thread ended, as waitpid told it.
struct ProcessEnd {
  bool is_known = false;
  int status = 0;  // of waitpid
};

class HeldThreads {
 public:
  // `forked`: a child with a copy of the memory, not yet running; it is let go afterwards. `is_shown`: whether somebody
  // wants to see this thread's signal before it is delivered.
  HeldThreads(uint32_t pid, BreakpointTable& table, std::function<void(uint32_t)> forked,
              std::function<bool(const HeldThread&)> is_shown)
      : pid_(pid), table_(table), forked_(std::move(forked)), is_shown_(std::move(is_shown)) {}

  // All that there are; they run on. Errors: gone, no_access.
  Result<void> seize_all();
  // The next thread that stopped or ended, if there is one. `thread`: null where it ended or is none of the target's.
  struct News {
    HeldThread* thread = nullptr;
  };
  std::optional<News> next_news();
  // Until they all stand, but for those that cannot be stopped: then false.
  bool stop_all(Time patience);
  // Runs on with its registers and signal, past a breakpoint that it has `passed`. False: it cannot get past without
  // the breakpoint being lifted.
  bool run_on(HeldThread& thread);
  // One instruction. True: it is done, or something else stopped the thread; false: it takes longer.
  bool step(HeldThread& thread, Time patience);
  // All that stand are where the program would have them, and in nothing of ours; to be called when the breakpoints are
  // out, and before what is ours goes.
  void bring_home();
  // After bring_home(): as they are, but for what we did to them.
  void let_go_all();

  // SIGTRAP may not be blocked while there are breakpoints: the kernel would take the handler of safety_net.h away.
  void unblock_trap(HeldThread& thread);

  std::unordered_map<uint32_t, HeldThread>& all() { return threads_; }
  HeldThread* find(uint32_t tid);
  // A stopped one of the target's that can make system calls for us; 0: none.
  uint32_t helper() const;
  bool is_over() const;
  const ProcessEnd& end() const { return end_; }
  // A thread may return into moved code from a signal handler.
  bool is_moved_code_in_use() const { return moved_code_in_use_; }

 private:
  HeldThread* note(uint32_t tid, int signal, int event);
  void settle(HeldThread& thread);
  void let_go(HeldThread& thread);
  HeldThread* adopt(uint32_t tid);
  void note_end(uint32_t tid, int wait_status);
  void note_event(HeldThread& thread, int event);
  void note_trap(HeldThread& thread);
  void note_exec(HeldThread& thread);
  void read_registers(HeldThread& thread);
  bool write_registers(HeldThread& thread, bool at_slot, uint64_t slot);
  void resume(HeldThread& thread, int request);
  HeldThread* wait_for_any(Time deadline, bool& is_late);
  bool share_memory(uint32_t child) const;

  uint32_t pid_;
  BreakpointTable& table_;
  std::function<void(uint32_t)> forked_;
  std::function<bool(const HeldThread&)> is_shown_;
  std::unordered_map<uint32_t, HeldThread> threads_;
  std::set<uint32_t> expected_, told_early_;  // made by a thread of ours, and not stopped yet; the other way round
  uint32_t unsettled_ = 0;                    // whose stop was looked at and not taken
  ProcessEnd end_;
  bool moved_code_in_use_ = false;
};

}  // namespace culprit
