#include "capture/borrowed_thread.h"

#include <elf.h>
#include <fmt/core.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "capture/tsc_clock.h"
#include "target/signal_frame.h"

namespace culprit {
namespace {

constexpr uint64_t red_zone = 128;
constexpr uint64_t stack_size = uint64_t{256} << 10;  // scratch memory below, the stack of the calls above
constexpr Time short_patience = 200'000'000;
constexpr Time lock_patience = 8'000'000;
constexpr uint64_t no_system_call = ~uint64_t{0};
constexpr uint64_t every_signal = ~uint64_t{0};
// Tells of a call's end. Programs that do not want to hear of it need not ignore it: that is what happens anyway.
constexpr int end_signal = SIGWINCH;

bool set_signal_mask(uint32_t tid, uint64_t mask) { return ptrace(PTRACE_SETSIGMASK, tid, sizeof mask, &mask) == 0; }

tl::unexpected<Error> has_ended() { return fail(ErrorKind::gone, "the process ended meanwhile"); }
tl::unexpected<Error> takes_too_long() {
  return fail(ErrorKind::system, "its loader takes too long (what it was asked to load may still come, unused)");
}

}  // namespace

Result<BorrowedThread> BorrowedThread::borrow(TracedThread& thread, uint32_t pid, VictimMemory& memory,
                                              const LibcEntries& entries) {
  BorrowedThread borrowed(thread, pid, memory, entries);
  CULPRIT_TRY(borrowed.save());
  CULPRIT_TRY(borrowed.make_stack());
  return borrowed;
}

Result<void> BorrowedThread::save() {
  vectors_.resize(65536);
  iovec area{vectors_.data(), vectors_.size()};
  bool saved = thread_->read_registers(registers_) &&
               ptrace(PTRACE_GETREGSET, thread_->tid(), NT_X86_XSTATE, &area) == 0 &&
               ptrace(PTRACE_GETSIGMASK, thread_->tid(), sizeof signal_mask_, &signal_mask_) == 0;
  if (!saved) return has_ended();
  vectors_.resize(area.iov_len);
  uint64_t offset = 0;
  if (!memory_->read_value(entries_.errno_offset, offset)) return has_ended();
  errno_at_ = registers_.fs_base + offset;
  if (memory_->read_value(errno_at_, errno_)) return {};
  return fail(ErrorKind::unsupported, "a thread of it has no errno");
}

Result<void> BorrowedThread::make_stack() {
  constexpr uint64_t read_write = PROT_READ | PROT_WRITE, kind = MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK;
  CULPRIT_TRY(start(entries_.mmap, {0, stack_size, read_write, kind, no_system_call, 0}, registers_.rsp - red_zone,
                    Follow::first_result));
  CULPRIT_TRY(run(monotonic_now() + short_patience));
  if (first_.number == SYS_mmap && first_.result > 0) {
    stack_ = static_cast<uint64_t>(first_.result);
    return {};
  }
  restore();
  return fail(ErrorKind::limit, "it has no memory left");
}

// The outer frame, and below it the inner one: where the called function's stack begins. 0: there is no room.
uint64_t BorrowedThread::write_frames(uint64_t stack_top) {
  SignalFrame outer = make_signal_frame(stack_top, entries_.sigreturn, registers_, vectors_, signal_mask_);
  user_regs_struct before_outer = registers_;
  before_outer.rip = entries_.sigreturn;
  before_outer.rsp = outer.address + sizeof(uint64_t);
  before_outer.orig_rax = no_system_call;
  uint64_t all_but_one = every_signal & ~(uint64_t{1} << (end_signal - 1));
  SignalFrame inner = make_signal_frame(outer.address, entries_.sigreturn, before_outer, {}, all_but_one);
  bool is_written = memory_->write(outer.address, outer.bytes) && memory_->write(inner.address, inner.bytes);
  return is_written ? inner.address : 0;
}

// Signals are held back from the moment when the frames are there, which have the mask as it was.
Result<void> BorrowedThread::start(uint64_t function, const Arguments& arguments, uint64_t stack_top, Follow follow) {
  first_ = {.follow = follow, .is_over = follow == Follow::nothing};
  if (thread_->state() != ThreadState::stopped) return has_ended();
  user_regs_struct called = registers_;
  called.rsp = write_frames(stack_top);
  called.rip = function;
  called.rdi = arguments[0], called.rsi = arguments[1], called.rdx = arguments[2];
  called.rcx = arguments[3], called.r8 = arguments[4], called.r9 = arguments[5];
  called.rax = 0;
  called.orig_rax = no_system_call;
  constexpr unsigned long long direction_flag = 0x400;
  called.eflags &= ~direction_flag;
  if (called.rsp == 0) {
    restore();
    return fail(ErrorKind::limit, "its stack has no room left");
  }
  if (thread_->write_registers(called) && set_signal_mask(thread_->tid(), every_signal)) return {};
  restore();
  return has_ended();
}

Result<void> BorrowedThread::call(uint64_t function, const Arguments& arguments, Time patience) {
  CULPRIT_TRY(start(function, arguments, stack_ + stack_size, Follow::first_lock));
  return run(monotonic_now() + patience);
}

Result<void> BorrowedThread::run(Time deadline) {
  if (syscall(SYS_tgkill, pid_, thread_->tid(), end_signal) != 0) {
    Error error{ErrorKind::no_access, "it cannot be sent signals", {}};
    restore();
    return tl::unexpected<Error>(std::move(error));
  }
  for (;;) {
    thread_->run_on(first_.is_over ? PTRACE_CONT : PTRACE_SYSCALL);
    Time until = waits_for_lock() ? std::min(deadline, monotonic_now() + lock_patience) : deadline;
    bool is_late = thread_->wait(until) == ThreadState::running;
    if (is_late) CULPRIT_TRY(bring_to_stop());
    if (thread_->state() == ThreadState::gone) return has_ended();
    if (has_returned()) return {};
    if (has_crashed()) return crashed();
    if (thread_->reason().is_system_call) CULPRIT_TRY(note_system_call());
    if (!is_late) continue;
    if (still_waits_for_lock()) return give_up_waiting();
    if (monotonic_now() < deadline) continue;
    thread_->let_go();  // it finishes by itself
    return takes_too_long();
  }
}

Result<void> BorrowedThread::crashed() {
  int signal = thread_->reason().signal;
  thread_->forget_signal();
  restore();
  release_stack();
  return fail(ErrorKind::system, fmt::format("a function of its libc failed there (signal {})", signal));
}

Result<void> BorrowedThread::note_system_call() {
  __ptrace_syscall_info call{};
  if (ptrace(PTRACE_GET_SYSCALL_INFO, thread_->tid(), sizeof call, &call) <= 0) return has_ended();
  if (call.op == PTRACE_SYSCALL_INFO_ENTRY) {
    first_.is_entered = true;
    first_.number = call.entry.nr;
    bool is_of_interest = first_.follow == Follow::first_result || call.entry.nr == SYS_futex;
    first_.is_over = call.entry.nr == SYS_rt_sigreturn || !is_of_interest;
  } else if (call.op == PTRACE_SYSCALL_INFO_EXIT) {
    first_.result = call.exit.rval;
    first_.is_over = true;
  }
  return {};
}

bool BorrowedThread::waits_for_lock() const {
  return first_.is_entered && !first_.is_over && first_.number == SYS_futex;
}

// Between the two rt_sigreturn: the registers can be set at will there, and the outer one is what comes next if nobody
// does.
bool BorrowedThread::has_returned() {
  if (thread_->reason().signal != end_signal) return false;
  siginfo_t information{};
  bool is_ours = ptrace(PTRACE_GETSIGINFO, thread_->tid(), nullptr, &information) == 0 &&
                 information.si_code == SI_TKILL && information.si_pid == getpid();
  owes_signal_ |= !is_ours;
  thread_->forget_signal();
  return true;
}

// All other signals are blocked, but for those that a fault forces upon the thread.
bool BorrowedThread::has_crashed() const {
  int signal = thread_->reason().signal;
  return signal != 0 && signal != SIGSTOP;
}

// Out of whatever it waits for in the kernel, if need be.
Result<void> BorrowedThread::bring_to_stop() {
  Time deadline = monotonic_now() + short_patience;
  for (;;) {
    thread_->interrupt();
    ThreadState state = thread_->wait(deadline);
    if (state == ThreadState::gone) return has_ended();
    if (state == ThreadState::running) return takes_too_long();
    if (!thread_->reason().is_system_call) return {};
    CULPRIT_TRY(note_system_call());
    thread_->run_on(PTRACE_CONT);
  }
}

// A function that waits for a lock in its first system call holds none yet: it may be left where it is, as whoever has
// the lock may be waiting for this very thread. Any other has to finish, as has one that was just woken up: nobody else
// would be.
bool BorrowedThread::still_waits_for_lock() const {
  user_regs_struct now{};
  return first_.is_entered && first_.number == SYS_futex && thread_->reason().is_interrupt &&
         thread_->read_registers(now) && now.orig_rax == SYS_futex && static_cast<int64_t>(now.rax) < 0;
}

Result<void> BorrowedThread::give_up_waiting() {
  restore();
  release_stack();
  return fail(ErrorKind::limit, "another thread of it is loading a library");
}

void BorrowedThread::release_stack() {
  uint64_t stack = std::exchange(stack_, 0);
  if (stack == 0 || !start(entries_.munmap, {stack, stack_size}, registers_.rsp - red_zone, Follow::nothing)) return;
  if (run(monotonic_now() + short_patience)) restore();
}

// The registers last: until then the thread would still go back by its frames.
void BorrowedThread::restore() {
  if (thread_->state() != ThreadState::stopped) return;
  memory_->write_value(errno_at_, errno_);
  iovec area{vectors_.data(), vectors_.size()};
  ptrace(PTRACE_SETREGSET, thread_->tid(), NT_X86_XSTATE, &area);
  set_signal_mask(thread_->tid(), signal_mask_);
  user_regs_struct registers = registers_;
  resume_interrupted_call(registers);
  thread_->write_registers(registers);
}

Result<void> BorrowedThread::give_back() {
  release_stack();
  if (thread_->state() == ThreadState::gone) return has_ended();
  restore();
  if (owes_signal_) syscall(SYS_tgkill, pid_, thread_->tid(), end_signal);
  return {};
}

}  // namespace culprit
