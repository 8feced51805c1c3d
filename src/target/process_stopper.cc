#include "target/process_stopper.h"

#include <fmt/core.h>
#include <time.h>

#include <algorithm>

#include "base/syscall.h"
#include "model/clock.h"
#include "format/procfs.h"

namespace culprit {
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
      if (!seized && is_ending(pid_, tid)) continue;
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
    if (state == ThreadState::stopped) thread.is_read = thread.traced.read_registers(thread.registers);
  }
  std::erase_if(threads_, [](const Thread& thread) { return thread.traced.state() == ThreadState::gone; });
  return true;
}

std::string ProcessStopper::why_not_stopped() const {
  for (const Thread& thread : threads_) {
    if (thread.traced.state() != ThreadState::running) continue;
    bool waits = thread_state_letter(pid_, thread.traced.tid()) == 'D';
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
  if (thread.has_new_registers) thread.traced.write_registers(thread.registers);
  thread.traced.let_go(thread.is_read ? &thread.registers : nullptr);
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
    release_late(late_);
    timespec pause{0, step};
    nanosleep(&pause, nullptr);
  } while (monotonic_now() < end);
}

void release_late(std::vector<TracedThread>& late) {
  std::erase_if(late, [](TracedThread& thread) {
    if (thread.poll() == ThreadState::running) return false;
    thread.let_go();
    return true;
  });
}

}  // namespace culprit
