#include "capture/process_stopper.h"

#include <fmt/core.h>
#include <sys/syscall.h>
#include <time.h>

#include <algorithm>
#include <cerrno>

#include "base/syscall.h"
#include "capture/tsc_clock.h"
#include "format/procfs.h"

namespace culprit {
namespace {

char state_of(uint32_t pid, uint32_t tid) {
  auto text = read_whole_file(fmt::format("/proc/{}/task/{}/stat", pid, tid), 4096);
  auto stat = text ? parse_stat(*text) : std::nullopt;
  return stat ? stat->state : 'X';
}

bool is_ending(char state) { return state == 'Z' || state == 'X' || state == 'x'; }

// Of the calls that signal(7) lists as failing with EINTR after a mere stop, those that can be made again.
constexpr long long repeatable_calls[] = {
    SYS_epoll_wait,     SYS_epoll_pwait, 441 /* epoll_pwait2 */, SYS_rt_sigtimedwait,
    SYS_semop,          SYS_semtimedop,  SYS_io_getevents,       SYS_io_pgetevents,
    SYS_io_uring_enter, SYS_read,        SYS_recvfrom,           SYS_recvmsg,
    SYS_accept,         SYS_accept4};

}  // namespace

bool resume_interrupted_call(user_regs_struct& registers) {
  // The kernel's own word for: again, but EINTR if a handler runs. Never seen outside it.
  constexpr long long restart_without_handler = -514;
  auto call = static_cast<long long>(registers.orig_rax);
  if (call < 0 || static_cast<long long>(registers.rax) != -EINTR) return false;
  if (std::ranges::count(repeatable_calls, call) == 0) return false;
  registers.rax = static_cast<unsigned long long>(restart_without_handler);
  return true;
}

// Threads made since the last look are held, too. False: there were none.
Result<bool> ProcessStopper::seize_new_threads() {
  bool found = false;
  for (uint32_t tid : threads_of(pid_)) {
    auto is_same = [&](const Thread& thread) { return thread.traced.tid() == tid; };
    if (std::ranges::any_of(threads_, is_same)) continue;
    auto late = std::ranges::find(late_, tid, &TracedThread::tid);
    if (late != late_.end()) {
      threads_.push_back({std::move(*late)});
      late_.erase(late);
    } else {
      auto seized = TracedThread::seize(pid_, tid);
      if (!seized && is_ending(state_of(pid_, tid))) continue;
      if (!seized) return tl::unexpected<Error>(seized.error());
      threads_.push_back({std::move(*seized)});
    }
    found = true;
  }
  return found;
}

bool ProcessStopper::wait_for_all(Time deadline) {
  for (Thread& thread : threads_) thread.traced.interrupt();
  for (Thread& thread : threads_) {
    ThreadState state = thread.traced.wait(deadline);
    if (state == ThreadState::running) return false;
    if (state == ThreadState::stopped) thread.traced.read_registers(thread.registers);
  }
  std::erase_if(threads_, [](const Thread& thread) { return thread.traced.state() == ThreadState::gone; });
  return true;
}

std::string ProcessStopper::why_not_stopped() const {
  for (const Thread& thread : threads_) {
    if (thread.traced.state() != ThreadState::running) continue;
    bool waits = state_of(pid_, thread.traced.tid()) == 'D';
    return fmt::format("thread {} of process {} does not stop: {}", thread.traced.tid(), pid_,
                       waits ? "it waits inside the kernel (for a vfork child, a disk, a network file system)"
                             : "the machine is too busy");
  }
  return "";
}

Result<void> ProcessStopper::stop(Time patience) {
  constexpr int looks = 64;
  auto found = seize_new_threads();
  stopped_at_ = monotonic_now();
  for (int look = 0; found && *found && look < looks; look++) {
    if (!wait_for_all(stopped_at_ + patience)) found = fail(ErrorKind::limit, why_not_stopped());
    if (found) found = seize_new_threads();  // a thread that was about to make another one has made it now
  }
  if (found && threads_.empty()) found = fail(ErrorKind::gone, fmt::format("process {} has ended", pid_));
  if (!found) {
    release();
    return tl::unexpected<Error>(found.error());
  }
  return {};
}

namespace {

void let_go(ProcessStopper::Thread& thread) {
  bool only_stopped = thread.traced.reason().is_interrupt;
  if (only_stopped && resume_interrupted_call(thread.registers)) thread.has_new_registers = true;
  if (thread.has_new_registers) thread.traced.write_registers(thread.registers);
  thread.traced.let_go();
}

}  // namespace

void ProcessStopper::release() {
  if (threads_.empty()) return;
  std::vector<Thread> released = std::move(threads_);
  threads_.clear();
  for (Thread& thread : released) {
    if (thread.traced.poll() == ThreadState::running)
      late_.push_back(std::move(thread.traced));
    else
      let_go(thread);
  }
  longest_stop_ = std::max(longest_stop_, monotonic_now() - stopped_at_);
}

void ProcessStopper::rest(Time duration) {
  constexpr Time step = 500'000;
  Time end = monotonic_now() + duration;
  do {
    std::erase_if(late_, [](TracedThread& late) {
      if (late.poll() == ThreadState::running) return false;
      Thread thread{std::move(late)};
      thread.traced.read_registers(thread.registers);
      let_go(thread);
      return true;
    });
    timespec pause{0, step};
    nanosleep(&pause, nullptr);
  } while (monotonic_now() < end);
}

}  // namespace culprit
