#include "target/thread_stops.h"

#include <fmt/core.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <thread>

#include "model/clock.h"
#include "target/process_stopper.h"
#include "target/ptrace_threads.h"
#include "target/raised_priority.h"
#include "target/thread_look.h"

namespace culprit {
namespace {

constexpr size_t at_a_time = 256;
constexpr Time most_patience = 2'000'000'000;  // on a busy machine a thread needs a CPU to come to a stop
constexpr Time patience_inside_kernel = 20'000'000;

// Whatever is traced is let go when the thread that traces it ends, even if all else fails.
template <typename Work>
void in_own_thread(Work work) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are for the threads that know about them
  std::thread thread([&] {
    // Busy threads would leave us no CPU, while others stand still and wait for us. For root before all others.
    RaisedPriority raised;
    sched_param lowest{.sched_priority = 1};
    sched_setscheduler(0, SCHED_RR, &lowest);
    work();
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  thread.join();
}

// A call that the stop has interrupted is one the thread is blocked in: it will be made again.
bool was_blocked(const Registers& registers) {
  constexpr int64_t restart_errors[] = {-512, -513, -514, -516, -EINTR};  // include/linux/errno.h
  auto call = static_cast<int64_t>(registers.orig_rax), result = static_cast<int64_t>(registers.rax);
  return call >= 0 && std::ranges::count(restart_errors, result) != 0;
}

struct Stop {
  TargetThread* thread;
  TracedThread traced;
  Time seen_running = 0;  // it stands still since then at most
};

void set_gone(TargetThread& thread) {
  thread.state = 'X';
  thread.unknown_because = "it has ended meanwhile";
}

void take(Stop& stop, const CopyStack& copy_stack) {
  user_regs_struct raw{};
  bool is_read = stop.traced.read_registers(raw);
  if (is_read) {
    set_registers(*stop.thread, std::bit_cast<Registers>(raw));
    stop.thread->signal = stop.traced.reason().signal;
    copy_stack(*stop.thread);
  } else {
    set_gone(*stop.thread);
  }
  stop.traced.let_go(is_read ? &raw : nullptr);
  stop.thread->stopped_for = std::max(stop.thread->stopped_for, monotonic_now() - stop.seen_running);
}

// True: there is nothing more to wait for.
bool proceed(Stop& stop, Time begin, const CopyStack& copy_stack, uint32_t pid) {
  Time now = monotonic_now();
  ThreadState state = stop.traced.poll();
  if (state == ThreadState::stopped) take(stop, copy_stack);
  if (state == ThreadState::gone) set_gone(*stop.thread);
  if (state != ThreadState::running) return true;
  stop.seen_running = now;
  if (now - begin < patience_inside_kernel) return false;
  bool is_inside = thread_state_letter(pid, stop.thread->tid) == 'D';
  if (!is_inside && now - begin < most_patience) return false;
  stop.thread->unknown_because =
      is_inside ? "it does not stop: it waits inside the kernel (for a disk, a network file system, a vfork child)"
                : "it does not stop: the machine is too busy";
  return true;
}

void take_some(uint32_t pid, std::span<TargetThread* const> threads, const CopyStack& copy_stack,
               std::vector<TracedThread>& late) {
  std::vector<Stop> stops;
  Time begin = monotonic_now();
  for (TargetThread* thread : threads) {
    auto seized = TracedThread::seize(pid, thread->tid);
    if (!seized) {
      if (is_ending(pid, thread->tid))
        set_gone(*thread);
      else
        thread->unknown_because = seized.error().what;
      continue;
    }
    stops.push_back({thread, std::move(*seized), monotonic_now()});
    stops.back().traced.interrupt();
  }
  while (!stops.empty()) {
    size_t before = stops.size();
    for (Stop& stop : stops) {
      if (!proceed(stop, begin, copy_stack, pid)) continue;
      if (stop.traced.state() == ThreadState::running) late.push_back(std::move(stop.traced));
      stop.thread = nullptr;
    }
    std::erase_if(stops, [](const Stop& stop) { return stop.thread == nullptr; });
    timespec pause{0, monotonic_now() - begin < 2'000'000 ? 20'000 : 200'000};
    if (stops.size() == before) nanosleep(&pause, nullptr);
  }
}

}  // namespace

void set_registers(TargetThread& thread, const Registers& registers) {
  thread.registers = registers;
  thread.known = RegistersKnown::all;
  thread.unknown_because.clear();
  if (!was_blocked(registers))
    thread.blocked_in.reset();
  else if (!thread
                .blocked_in)  // what /proc said is better: a call that was interrupted before is "restart_syscall" now
    thread.blocked_in = BlockingCall{
        registers.orig_rax, {registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8, registers.r9}};
}

void take_by_stopping(uint32_t pid, std::span<TargetThread* const> threads, const CopyStack& copy_stack) {
  if (threads.empty()) return;
  in_own_thread([&] {
    std::vector<TracedThread> late;
    for (size_t begin = 0; begin < threads.size(); begin += at_a_time) {
      take_some(pid, threads.subspan(begin, std::min(at_a_time, threads.size() - begin)), copy_stack, late);
      release_late(late);
    }
    release_late(late);
    for (TracedThread& traced : late) traced.leave();
  });
}

Result<void> take_all_at_once(uint32_t pid, std::vector<TargetThread>& threads, const WhileStopped& work) {
  constexpr int most_tries = 24;
  Result<void> result;
  in_own_thread([&] {
    std::vector<TracedThread> late;
    ProcessStopper stopper(pid, late);
    for (int tries = 0; tries < most_tries; ++tries) {
      result = stopper.stop(stop_patience_of_try(tries));
      if (result || result.error().kind != ErrorKind::limit) break;
      stopper.rest(1'000'000);
    }
    std::vector<TargetThread> taken;
    for (ProcessStopper::Thread& stopped : stopper.threads()) {
      auto known = std::ranges::find(threads, stopped.traced.tid(), &TargetThread::tid);
      auto looked = known == threads.end() ? look_at_thread(pid, stopped.traced.tid()) : std::optional(*known);
      if (!looked || !stopped.is_read) continue;
      TargetThread& thread = taken.emplace_back(std::move(*looked));
      set_registers(thread, std::bit_cast<Registers>(stopped.registers));
      if (work.look_at_all) thread.wide_registers = stopped.traced.read_wide_registers();
      thread.signal = stopped.traced.reason().signal;
      if (work.copy_stack) work.copy_stack(thread);
    }
    if (result && work.look_at_all) {
      std::ranges::sort(taken, {}, &TargetThread::tid);
      work.look_at_all(taken);
    }
    stopper.release();
    for (TargetThread& thread : taken) thread.stopped_for = stopper.longest_stop();
    release_late(late);
    for (TracedThread& traced : late) traced.leave();
    if (result) threads = std::move(taken);
  });
  std::ranges::sort(threads, {}, &TargetThread::tid);
  return result;
}

}  // namespace culprit
