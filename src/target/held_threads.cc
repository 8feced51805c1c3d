#include "target/held_threads.h"

#include <fmt/core.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/syscall.h"
#include "format/procfs.h"
#include "model/clock.h"
#include "target/ptrace_threads.h"

namespace culprit {
namespace {

constexpr int event_stop = 128;         // PTRACE_EVENT_STOP
constexpr int trap_from_kernel = 0x80;  // SI_KERNEL: an int3
constexpr uint64_t no_system_call = ~uint64_t{0};
constexpr unsigned long options = PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                                  PTRACE_O_TRACEVFORKDONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD;

std::optional<ProcessStatus> status_of(uint32_t tid) {
  auto text = read_whole_file(fmt::format("/proc/{}/status", tid), 65536);
  return text ? parse_status(*text) : std::nullopt;
}

// The kernel's user_regs_struct is Registers.
bool get_registers(uint32_t tid, Registers& registers) {
  static_assert(sizeof(Registers) == sizeof(user_regs_struct));
  return ptrace(PTRACE_GETREGS, tid, nullptr, &registers) == 0;
}

// Over a system call it is told as TRAP_BRKPT (arch/x86/kernel/ptrace.c, user_single_step_report).
bool is_trap_of_step(const siginfo_t& info) { return info.si_code == TRAP_TRACE || info.si_code == TRAP_BRKPT; }

// A trap that an instruction made is waiting to be told.
bool has_pending_trap(uint32_t tid) {
  constexpr int most = 32;
  siginfo_t pending[most];
  __ptrace_peeksiginfo_args wanted{0, 0, most};
  long count = ptrace(PTRACE_PEEKSIGINFO, tid, &wanted, pending);
  return std::any_of(pending, pending + std::max(count, 0L), [](const siginfo_t& info) {
    return info.si_signo == SIGTRAP && (info.si_code == trap_from_kernel || is_trap_of_step(info));
  });
}

constexpr uint64_t trap_bit = uint64_t{1} << (SIGTRAP - 1);

// A system call that was interrupted begins anew: the thread is not where rip says, but one instruction before.
bool will_repeat_call(const Registers& registers) {
  constexpr int64_t first = -516, last = -512;  // ERESTART_RESTARTBLOCK … ERESTARTSYS
  auto result = static_cast<int64_t>(registers.rax);
  return static_cast<int64_t>(registers.orig_rax) >= 0 && result >= first && result <= last;
}

bool mend_interrupted_call(Registers& registers) {
  user_regs_struct raw;
  memcpy(&raw, &registers, sizeof raw);
  if (!resume_interrupted_call(raw)) return false;
  memcpy(static_cast<void*>(&registers), &raw, sizeof raw);
  return true;
}

}  // namespace

bool HeldThreads::share_memory(uint32_t child) const {
  long different = syscall(SYS_kcmp, living_thread(pid_), child, KCMP_VM, 0, 0);
  if (different >= 0) return different == 0;
  // A kernel without kcmp: vfork is what shares memory, but for rare things.
  return std::ranges::any_of(threads_, [](const auto& entry) { return entry.second.waits_for_child; });
}

HeldThread* HeldThreads::find(uint32_t tid) {
  auto found = threads_.find(tid);
  return found == threads_.end() ? nullptr : &found->second;
}

uint32_t HeldThreads::helper() const {
  uint32_t best = 0;
  for (const auto& [tid, thread] : threads_) {
    bool can = thread.is_stopped() && thread.process == pid_ && thread.signal == 0 && !thread.is_stepping &&
               !thread.is_within_call && thread.stopped_by != StoppedBy::job_control;
    if (can && (best == 0 || tid == pid_)) best = tid;
  }
  return best;
}

bool HeldThreads::is_over() const {
  return std::ranges::none_of(threads_, [&](const auto& entry) { return entry.second.process == pid_; });
}

Result<void> HeldThreads::seize_all() {
  for (bool found = true; found;) {
    found = false;
    for (uint32_t tid : threads_of(pid_)) {
      if (threads_.contains(tid)) continue;
      if (ptrace(PTRACE_SEIZE, tid, nullptr, options) == 0) {
        threads_[tid] = {.tid = tid, .process = pid_};
        found = true;
        continue;
      }
      int error = errno;
      auto status = status_of(tid);
      // A new one, which came to us by itself; or one that ends.
      if ((status && status->tracer == static_cast<uint32_t>(getpid())) || is_ending(pid_, tid)) continue;
      return tl::unexpected<Error>(why_not_traceable(pid_, error));
    }
  }
  if (threads_.empty()) return fail(ErrorKind::gone, fmt::format("process {} has ended", pid_));
  return {};
}

void HeldThreads::note_end(uint32_t tid, int wait_status) {
  auto found = threads_.find(tid);
  if (tid == pid_) end_ = {true, wait_status};
  if (found != threads_.end()) threads_.erase(found);
  expected_.erase(tid);
}

// A new thread or child, which is stopped since it began.
HeldThread* HeldThreads::adopt(uint32_t tid) {
  if (expected_.erase(tid) == 0) told_early_.insert(tid);
  auto status = status_of(tid);
  uint32_t process = status ? status->process : tid;
  if (process != pid_ && !share_memory(tid)) {
    forked_(tid);
    ptrace(PTRACE_DETACH, tid, nullptr, nullptr);
    return nullptr;
  }
  HeldThread& thread = threads_[tid] = {.tid = tid, .process = process};
  return &thread;
}

std::optional<HeldThreads::News> HeldThreads::next_news() {
  if (HeldThread* last = find(std::exchange(unsettled_, 0)); last != nullptr && last->is_stopped()) settle(*last);
  siginfo_t info{};
  if (waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL) != 0 || info.si_pid == 0) return {};
  auto tid = static_cast<uint32_t>(info.si_pid);
  if (info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED) {
    int signal = info.si_status & 0xff, event = info.si_status >> 8;
    unsettled_ = tid;
    // The kernel lets nothing be done with a thread that took another's id by exec before that was waited for.
    if (event == PTRACE_EVENT_EXEC) waitpid(info.si_pid, nullptr, __WALL | WNOHANG);
    return News{note(tid, signal, event)};
  }
  int status = 0;
  if (waitpid(info.si_pid, &status, __WALL | WNOHANG) == info.si_pid && !WIFSTOPPED(status)) note_end(tid, status);
  return News{};
}

// It stays stopped: as it would go on without us.
void HeldThreads::settle(HeldThread& thread) {
  if (thread.stopped_by == StoppedBy::breakpoint) write_registers(thread, false, 0);
  int status = 0;
  waitpid(static_cast<pid_t>(thread.tid), &status, __WALL | WNOHANG);
  if (WIFEXITED(status) || WIFSIGNALED(status)) note_end(thread.tid, status);
}

HeldThread* HeldThreads::note(uint32_t tid, int signal, int event) {
  HeldThread* thread = find(tid);
  if (thread == nullptr) thread = adopt(tid);
  if (thread == nullptr) return nullptr;
  thread->is_news = false;
  thread->signal = 0;
  thread->passed = 0;
  thread->waits_for_child = thread->is_within_call = false;
  thread->has_new_registers = false;
  thread->stopped_by = StoppedBy::interrupt;
  if (event == 0 && signal == SIGTRAP) {
    note_trap(*thread);
  } else {
    read_registers(*thread);
    if (event != 0) {
      note_event(*thread, event);
      if (event == event_stop && signal != SIGTRAP) thread->stopped_by = StoppedBy::job_control;
    } else if (signal != (SIGTRAP | 0x80)) {
      thread->stopped_by = StoppedBy::signal;
      thread->signal = signal;
      thread->is_news = true;
    }
  }
  if (thread->stopped_by == StoppedBy::signal) {
    siginfo_t info{};
    ptrace(PTRACE_GETSIGINFO, tid, nullptr, &info);
    thread->signal_code = info.si_code;
    bool is_sent = info.si_code <= 0;
    thread->sender = is_sent ? static_cast<uint32_t>(info.si_pid) : 0;
    thread->fault_address = is_sent ? 0 : reinterpret_cast<uint64_t>(info.si_addr);
  }
  // The event of an exec lets go of a child that shares the memory no more.
  if (thread->process != pid_ && thread->stopped_by == StoppedBy::exec) {
    ptrace(PTRACE_DETACH, tid, nullptr, nullptr);
    threads_.erase(tid);
    return nullptr;
  }
  return thread;
}

void HeldThreads::read_registers(HeldThread& thread) {
  user_regs_struct raw{};
  ptrace(PTRACE_GETREGS, thread.tid, nullptr, &raw);
  if (repeat_call_if_filtered(thread.tid, raw)) ptrace(PTRACE_SETREGS, thread.tid, nullptr, &raw);
  memcpy(static_cast<void*>(&thread.registers), &raw, sizeof raw);
  thread.real_rip = thread.registers.rip, thread.real_rsp = thread.registers.rsp;
  const MovedPlace* place = table_.shown_place(thread.registers);
  if (place == nullptr || (place->offset != 0 && place->pushed == 0)) return;
  // Nothing of the instruction has been executed, but the hit was counted.
  thread.passed = place->address;
  thread.has_new_registers = place->pushed != 0;
}

void HeldThreads::note_trap(HeldThread& thread) {
  siginfo_t info{};
  ptrace(PTRACE_GETSIGINFO, thread.tid, nullptr, &info);
  get_registers(thread.tid, thread.registers);
  thread.real_rip = thread.registers.rip, thread.real_rsp = thread.registers.rsp;
  if (info.si_code == trap_from_kernel) {
    uint64_t address = thread.real_rip - 1;
    if (table_.site_at(address) != nullptr) {
      thread.registers.rip = address;
      thread.stopped_by = StoppedBy::breakpoint;
      thread.is_news = true;
      return;
    }
    if (!table_.is_foreign_trap(address)) {  // it was ours when the thread met it
      thread.registers.rip = address;
      return;
    }
  }
  table_.shown_place(thread.registers);
  if (is_trap_of_step(info) && thread.is_stepping) {
    thread.is_stepping = false;
    thread.stopped_by = StoppedBy::single_step;
    thread.is_news = true;
    return;
  }
  thread.stopped_by = StoppedBy::signal;
  thread.signal = SIGTRAP;
  thread.is_news = true;
}

void HeldThreads::note_event(HeldThread& thread, int event) {
  thread.is_within_call = event != event_stop;
  if (event == PTRACE_EVENT_EXEC) return note_exec(thread);
  if (event != PTRACE_EVENT_CLONE && event != PTRACE_EVENT_FORK && event != PTRACE_EVENT_VFORK) return;
  unsigned long made = 0;
  if (ptrace(PTRACE_GETEVENTMSG, thread.tid, nullptr, &made) != 0) return;
  auto tid = static_cast<uint32_t>(made);
  if (told_early_.erase(tid) == 0) expected_.insert(tid);
  thread.waits_for_child = event == PTRACE_EVENT_VFORK;
}

// The thread has become the process, whatever its id was. All others are gone.
void HeldThreads::note_exec(HeldThread& thread) {
  thread.stopped_by = StoppedBy::exec;
  thread.is_news = true;
  thread.is_stepping = false;
  thread.trap_was_blocked = false;
  moved_code_in_use_ = false;
  if (thread.process != pid_) return;
  std::erase_if(threads_, [&](const auto& entry) { return entry.second.process == pid_ && entry.first != pid_; });
}

// The thread that stopped, if one did.
HeldThread* HeldThreads::wait_for_any(Time deadline, bool& is_late) {
  is_late = false;
  for (Time begin = monotonic_now(), now = begin; now < deadline; now = monotonic_now()) {
    if (auto news = next_news()) return news->thread;
    if (threads_.empty()) break;
    timespec pause{0, now - begin < 2'000'000 ? 20'000 : 200'000};
    nanosleep(&pause, nullptr);
  }
  is_late = true;
  return nullptr;
}

bool HeldThreads::stop_all(Time patience) {
  auto runs = [](const auto& entry) { return !entry.second.is_stopped() && !entry.second.waits_for_child; };
  // In the middle of a call that makes something, a thread is not fit for what may be done with it; nor is one that has
  // met a breakpoint and was interrupted before it could say so. A signal that nobody wants to see is delivered.
  auto leave_call = [&](HeldThread& thread) {
    bool is_at_trap = thread.stopped_by == StoppedBy::interrupt && has_pending_trap(thread.tid);
    bool is_passed_on = thread.stopped_by == StoppedBy::signal && !is_shown_(thread);
    if ((thread.is_news && !is_passed_on) || (!thread.is_within_call && !is_at_trap && !is_passed_on)) return;
    run_on(thread);
    if (is_at_trap) return;
    ptrace(PTRACE_INTERRUPT, thread.tid, nullptr, nullptr);
  };
  for (auto& [tid, thread] : threads_) {
    if (!thread.is_stopped()) ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr);
    if (thread.is_stopped()) leave_call(thread);
  }
  Time deadline = monotonic_now() + patience;
  while (!expected_.empty() || std::ranges::any_of(threads_, runs)) {
    bool is_late = false;
    HeldThread* stopped = wait_for_any(deadline, is_late);
    if (is_late) return std::ranges::none_of(threads_, runs);
    if (stopped != nullptr) leave_call(*stopped);
  }
  return true;
}

void HeldThreads::resume(HeldThread& thread, int request) {
  auto how = static_cast<__ptrace_request>(request);
  thread.stopped_by = StoppedBy::nothing;
  thread.is_news = false;
  if (thread.signal != 0 && table_.net() != nullptr) {
    Registers probe = thread.registers;
    probe.rip = thread.real_rip;
    moved_code_in_use_ |= table_.shown_place(probe) != nullptr;
  }
  ptrace(how, thread.tid, nullptr, static_cast<long>(thread.signal));
  thread.signal = 0;
}

// Puts into the thread what it shall go on with.
bool HeldThreads::write_registers(HeldThread& thread, bool at_slot, uint64_t slot) {
  uint64_t rip = at_slot ? slot : thread.registers.rip;
  if (thread.has_new_registers) {
    Registers wanted = thread.registers;
    wanted.rip = rip;
    if (wanted.rip != thread.real_rip) wanted.orig_rax = no_system_call;  // nothing is made again from elsewhere
    thread.has_new_registers = false;
    thread.real_rip = rip, thread.real_rsp = wanted.rsp;
    return ptrace(PTRACE_SETREGS, thread.tid, nullptr, &wanted) == 0;
  }
  if (rip == thread.real_rip) return true;
  thread.real_rip = rip;
  return ptrace(PTRACE_POKEUSER, thread.tid, offsetof(user_regs_struct, rip), rip) == 0;
}

bool HeldThreads::run_on(HeldThread& thread) {
  thread.is_stepping = false;
  if (thread.stopped_by == StoppedBy::job_control && !thread.has_new_registers) {
    thread.stopped_by = StoppedBy::nothing;
    ptrace(PTRACE_LISTEN, thread.tid, nullptr, nullptr);
    return true;
  }
  bool has_passed = thread.passed == thread.registers.rip && !will_repeat_call(thread.registers);
  BreakpointSite* site = has_passed ? table_.site_at(thread.passed) : nullptr;
  if (site != nullptr && site->slot == 0) return false;
  // Within moved code it goes on as it is; so do system calls there that are made again.
  Registers real = thread.registers;
  real.rip = thread.real_rip;
  bool is_moved = !thread.has_new_registers && site == nullptr && table_.shown_place(real) != nullptr;
  if (thread.stopped_by == StoppedBy::interrupt && !thread.has_new_registers) {
    real = thread.registers;
    real.rip = thread.real_rip, real.rsp = thread.real_rsp;
    if (mend_interrupted_call(real)) ptrace(PTRACE_SETREGS, thread.tid, nullptr, &real);
  }
  if (!is_moved) write_registers(thread, site != nullptr, site != nullptr ? site->slot : 0);
  resume(thread, PTRACE_CONT);
  return true;
}

bool HeldThreads::step(HeldThread& thread, Time patience) {
  uint64_t lifted = table_.site_at(thread.registers.rip) != nullptr ? thread.registers.rip : 0;
  if (lifted != 0) table_.lift(lifted);
  if (thread.real_rsp != thread.registers.rsp) thread.has_new_registers = true;
  write_registers(thread, false, 0);
  thread.is_stepping = true;
  uint32_t tid = thread.tid;
  resume(thread, PTRACE_SINGLESTEP);
  // It may end meanwhile, or be another one after an exec.
  Time deadline = monotonic_now() + patience;
  HeldThread* stepping = find(tid);
  for (bool is_late = false; stepping != nullptr && !stepping->is_stopped() && !is_late; stepping = find(tid)) {
    wait_for_any(deadline, is_late);
    // It only waits for a processor, or has just stopped: were the breakpoint put back now, it might be met once more.
    if (is_late && std::string_view("Rt").find(thread_state_letter(pid_, tid)) != std::string_view::npos)
      deadline = monotonic_now() + patience, is_late = false;
    stepping = find(tid);
    // An interrupt that came when the thread had stopped already makes it stop once more before it has done anything.
    if (stepping != nullptr && stepping->stopped_by == StoppedBy::interrupt) resume(*stepping, PTRACE_SINGLESTEP);
  }
  if (lifted != 0) table_.put_back(lifted);
  return stepping == nullptr || stepping->is_stopped();
}

void HeldThreads::unblock_trap(HeldThread& thread) {
  uint64_t mask = 0;
  if (ptrace(PTRACE_GETSIGMASK, thread.tid, sizeof mask, &mask) != 0 || (mask & trap_bit) == 0) return;
  mask &= ~trap_bit;
  if (ptrace(PTRACE_SETSIGMASK, thread.tid, sizeof mask, &mask) == 0) thread.trap_was_blocked = true;
}

void HeldThreads::bring_home() {
  if (HeldThread* last = find(std::exchange(unsettled_, 0)); last != nullptr && last->is_stopped()) settle(*last);
  for (auto& [tid, thread] : threads_) {
    bool is_elsewhere = thread.real_rip != thread.registers.rip || thread.real_rsp != thread.registers.rsp;
    if (!thread.is_stopped() || (!is_elsewhere && !thread.has_new_registers)) continue;
    ptrace(PTRACE_SETREGS, tid, nullptr, &thread.registers);
    thread.real_rip = thread.registers.rip, thread.real_rsp = thread.registers.rsp;
    thread.has_new_registers = false;
  }
}

void HeldThreads::let_go(HeldThread& thread) {
  if (!thread.is_stopped()) return;
  bool is_mended = thread.stopped_by == StoppedBy::interrupt && mend_interrupted_call(thread.registers);
  if (is_mended) ptrace(PTRACE_SETREGS, thread.tid, nullptr, &thread.registers);
  uint64_t mask = 0;
  if (thread.trap_was_blocked && ptrace(PTRACE_GETSIGMASK, thread.tid, sizeof mask, &mask) == 0) {
    mask |= trap_bit;
    ptrace(PTRACE_SETSIGMASK, thread.tid, sizeof mask, &mask);
  }
  ptrace(PTRACE_DETACH, thread.tid, nullptr, static_cast<long>(thread.signal));
}

void HeldThreads::let_go_all() {
  for (auto& [tid, thread] : threads_) let_go(thread);
  threads_.clear();
}

}  // namespace culprit
