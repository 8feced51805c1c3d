#include "target/debug_engine.h"

#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "base/syscall.h"
#include "model/clock.h"
#include "target/ptrace_threads.h"

namespace culprit {
namespace {

constexpr Time stop_patience = 2'000'000'000;
constexpr Time step_patience = 50'000'000;
// What a program does not survive, or means as a question to its debugger.
constexpr int signals_stopped_at[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS};

Fd make_signal_fd() {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (int signal : {SIGCHLD, SIGTERM, SIGHUP, SIGINT}) sigaddset(&wanted, signal);
  sigprocmask(SIG_SETMASK, &wanted, nullptr);
  return Fd(signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
}

// Whether the process has a handler of SIGTRAP.
bool catches_trap(uint32_t pid) {
  constexpr std::string_view key = "SigCgt:\t";
  auto text = read_whole_file(fmt::format("/proc/{}/status", pid), 65536);
  size_t at = text ? text->find(key) : std::string::npos;
  if (at == std::string::npos) return true;
  return (strtoull(text->c_str() + at + key.size(), nullptr, 16) >> (SIGTRAP - 1) & 1) != 0;
}

}  // namespace

DebugEngine::DebugEngine(uint32_t pid, VictimMemory memory, Fd socket)
    : pid_(pid),
      socket_(std::move(socket)),
      signals_(make_signal_fd()),
      table_(pid, std::move(memory)),
      threads_(
          pid, table_,
          [this](uint32_t child) {
            if (auto copied = VictimMemory::open(child)) table_.restore_all(*copied);
          },
          [this](const HeldThread& thread) { return is_signal_shown(thread); }) {
  prctl(PR_SET_TIMERSLACK, 1);
  for (int signal : signals_stopped_at) stops_at_[static_cast<size_t>(signal)] = true;
}

Result<void> DebugEngine::attach() {
  CULPRIT_TRY(threads_.seize_all());
  stop_everything();
  if (threads_.is_over()) return fail(ErrorKind::gone, fmt::format("process {} has ended", pid_));
  return {};
}

void DebugEngine::work() {
  DebugReply reply;
  auto attached = attach();
  if (!attached) reply.error_kind = attached.error().kind, reply.error = attached.error().what;
  is_done_ = !send_reply(socket_.get(), reply) || !attached;
  while (!is_done_) wait_for_news();
  detach();
}

void DebugEngine::wait_for_news() {
  pollfd waited[] = {{signals_.get(), POLLIN, 0}, {socket_.get(), POLLIN, 0}};
  if (poll(waited, 2, -1) < 0) return;
  if (waited[0].revents != 0) {
    signalfd_siginfo told[4] = {};
    ssize_t size = read(signals_.get(), told, sizeof told);
    for (size_t i = 0; i < static_cast<size_t>(std::max<ssize_t>(size, 0)) / sizeof told[0]; i++)
      is_done_ |= told[i].ssi_signo != SIGCHLD;
    look_at_threads();
  }
  if (waited[1].revents == 0 || is_done_) return;
  auto request = receive_request(socket_.get());
  if (request)
    answer_request(*request);
  else
    is_done_ = true;
}

// A thread after the other, and not for ever: somebody may want to break in.
void DebugEngine::look_at_threads() {
  constexpr int most = 1000;
  for (int i = 0; i < most; i++) {
    auto news = threads_.next_news();
    if (!news) break;
    if (is_going_ && threads_.is_over()) return finish(stop_of_end());
    if (is_going_ && news->thread != nullptr) deal_with(*news->thread);
    if (i == most - 1) raise(SIGCHLD);
  }
}

void DebugEngine::deal_with(HeldThread& thread) {
  if (thread.stopped_by == StoppedBy::breakpoint) {
    follower_.stopped(thread.tid, monotonic_now());
    if (monotonic_now() >= next_handler_check_ && is_handler_gone()) {
      stop_everything();
      if (uint32_t helper = threads_.helper()) table_.net()->renew_handler(helper);
      return run_all_and_tell();
    }
  } else if (table_.net() != nullptr) {
    threads_.unblock_trap(thread);
  }
  std::optional<DebugStop> stop;
  if (thread.is_news) stop = what_happened(thread);
  if (!stop && threads_.run_on(thread)) return;
  stop_everything();
  if (stop) return finish(*stop);
  run_all_and_tell();
}

void DebugEngine::run_all_and_tell() {
  if (auto stop = run_all()) finish(*stop);
}

std::optional<DebugStop> DebugEngine::breakpoint_met(HeldThread& thread) {
  BreakpointSite* site = table_.site_at(thread.registers.rip);
  if (site == nullptr) return {};  // taken out meanwhile: the instruction is as it was
  thread.passed = thread.registers.rip;
  // A child that shares the memory meets it, too, and is none of the target's.
  if (thread.process != pid_) return {};
  auto verdict = table_.hit(*site, thread.tid, thread.registers);
  if (!verdict) return {};
  return DebugStop{.kind = DebugStopKind::breakpoint,
                   .tid = thread.tid,
                   .breakpoint = verdict->breakpoint,
                   .is_unknown = verdict->is_unknown ? 1u : 0u};
}

bool DebugEngine::is_signal_shown(const HeldThread& thread) const {
  auto signal = static_cast<size_t>(thread.signal);
  return thread.process == pid_ && signal < stops_at_.size() && stops_at_[signal];
}

std::optional<DebugStop> DebugEngine::what_happened(HeldThread& thread) {
  thread.is_news = false;
  switch (thread.stopped_by) {
    case StoppedBy::breakpoint:
      return breakpoint_met(thread);
    case StoppedBy::single_step: {
      if (thread.tid != stepping_thread_) return {};
      // A breakpoint that a step arrives at has been met.
      auto met = breakpoint_met(thread);
      return met ? met : DebugStop{.kind = DebugStopKind::stepped, .tid = thread.tid};
    }
    case StoppedBy::exec:
      table_.forget_all();
      return DebugStop{.kind = DebugStopKind::executed, .tid = thread.tid};
    case StoppedBy::signal:
      if (!is_signal_shown(thread)) return {};
      return DebugStop{.kind = DebugStopKind::signal,
                       .tid = thread.tid,
                       .signal = thread.signal,
                       .signal_code = thread.signal_code,
                       .sender = thread.sender,
                       .fault_address = thread.fault_address};
    default:
      return {};
  }
}

// A breakpoint whose instruction cannot be executed elsewhere: everything stands, so nobody misses it meanwhile.
// False: the thread is still at it (a system call that waits).
bool DebugEngine::get_past(uint32_t tid) {
  HeldThread* thread = threads_.find(tid);
  if (thread == nullptr || !threads_.step(*thread, step_patience)) return false;
  thread = threads_.find(tid);
  if (thread != nullptr && thread->stopped_by == StoppedBy::single_step && tid != stepping_thread_)
    thread->is_news = false;
  return true;
}

// All stand still. Nothing: now they run.
std::optional<DebugStop> DebugEngine::run_all() {
  std::vector<uint32_t> tids;
  for (auto& [tid, thread] : threads_.all()) tids.push_back(tid);
  std::ranges::sort(tids);
  auto look_at_news = [&]() -> std::optional<DebugStop> {
    for (uint32_t tid : tids) {
      HeldThread* thread = threads_.find(tid);
      if (thread == nullptr || !thread->is_stopped() || !thread->is_news) continue;
      if (auto stop = what_happened(*thread)) return stop;
    }
    return {};
  };
  auto is_stuck = [&](const HeldThread& thread) {
    if (!thread.is_stopped() || thread.passed == 0 || thread.passed != thread.registers.rip) return false;
    const BreakpointSite* site = table_.site_at(thread.passed);
    return site != nullptr && site->slot == 0;
  };
  if (auto stop = look_at_news()) return stop;
  for (uint32_t tid : tids) {
    HeldThread* thread = threads_.find(tid);
    if (thread == nullptr || !is_stuck(*thread)) continue;
    get_past(tid);
    if (auto stop = look_at_news()) return stop;
  }
  if (threads_.is_over()) return stop_of_end();
  for (uint32_t tid : tids) {
    HeldThread* thread = threads_.find(tid);
    if (thread != nullptr && thread->is_stopped()) threads_.run_on(*thread);
  }
  return {};
}

DebugStop DebugEngine::stop_of_end() const {
  DebugStop stop{.kind = DebugStopKind::lost, .tid = pid_};
  if (!threads_.end().is_known) return stop;
  int status = threads_.end().status;
  stop.kind = WIFSIGNALED(status) ? DebugStopKind::killed : DebugStopKind::exited;
  stop.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  stop.status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  return stop;
}

bool DebugEngine::stop_everything() {
  bool all = threads_.stop_all(stop_patience);
  if (table_.net() != nullptr) {
    for (auto& [tid, thread] : threads_.all()) {
      if (thread.is_stopped()) threads_.unblock_trap(thread);
    }
  }
  return all;
}

// Everything stands.
void DebugEngine::finish(DebugStop stop) {
  is_going_ = false;
  stepping_thread_ = 0;
  event_thread_ = stop.tid;
  if (stop.kind == DebugStopKind::breakpoint) table_.spend(stop.breakpoint);
  DebugReply reply;
  reply.stop = stop;
  is_done_ |= !send_reply(socket_.get(), reply);
}

// The kernel takes a handler away when a thread that blocks its signal meets an int3; and the program may.
bool DebugEngine::is_handler_gone() {
  constexpr Time interval = 200'000'000;
  next_handler_check_ = monotonic_now() + interval;
  return table_.net() != nullptr && !catches_trap(pid_);
}

void DebugEngine::begin_step(uint32_t tid) {
  HeldThread* thread = threads_.find(tid);
  stepping_thread_ = tid;
  is_going_ = true;
  std::optional<DebugStop> stop;
  if (thread->is_news) stop = what_happened(*thread);
  if (!stop && threads_.step(*thread, step_patience)) {
    thread = threads_.find(tid);
    if (thread != nullptr && thread->is_news) stop = what_happened(*thread);
    if (!stop) stop = threads_.is_over() ? stop_of_end() : DebugStop{.kind = DebugStopKind::stepped, .tid = tid};
  }
  // It waits for something inside the kernel: perhaps for the others.
  if (!stop) stop = run_all();
  if (stop) finish(*stop);
}

void DebugEngine::detach() {
  if (threads_.is_over()) return;
  stop_everything();
  table_.restore_all();
  threads_.bring_home();
  if (SafetyNet* net = table_.net()) {
    uint32_t helper = threads_.helper();
    bool all_stand = std::ranges::all_of(threads_.all(), [](const auto& entry) { return entry.second.is_stopped(); });
    if (helper != 0) net->take_out(helper, all_stand && !threads_.is_moved_code_in_use());
  }
  threads_.let_go_all();
}

Result<void> DebugEngine::set_breakpoint(const DebugRequest& request, DebugReply& reply) {
  bool is_first = table_.net() == nullptr;
  auto id = table_.set(request.breakpoint, request.condition, threads_.helper());
  if (is_first && table_.net() != nullptr) {
    next_handler_check_ = 0;
    for (auto& [tid, thread] : threads_.all()) {
      if (thread.is_stopped()) threads_.unblock_trap(thread);
    }
  }
  if (!id) return tl::unexpected<Error>(std::move(id).error());
  reply.value = *id;
  return {};
}

void DebugEngine::list_threads(uint32_t after, DebugReply& reply) {
  std::vector<uint32_t> tids;
  for (const auto& [tid, thread] : threads_.all()) {
    if (tid > after && thread.process == pid_) tids.push_back(tid);
  }
  std::ranges::sort(tids);
  if (tids.size() > threads_per_reply) tids.resize(threads_per_reply);
  for (uint32_t tid : tids) {
    const HeldThread& thread = *threads_.find(tid);
    reply.threads.push_back({tid, thread.is_stopped() ? 1u : 0u, thread.signal, 0, thread.registers});
  }
}

void DebugEngine::answer_request(const DebugRequest& request) {
  if (request.ask == DebugAsk::break_in) {
    if (!is_going_) return;
    stop_everything();
    if (threads_.is_over()) return finish(stop_of_end());
    // What happened to threads meanwhile is looked at when they go on.
    return finish({.kind = DebugStopKind::broken_in, .tid = event_thread_});
  }
  DebugReply reply;
  auto done = answer(request, reply);
  if (!done) reply.error_kind = done.error().kind, reply.error = done.error().what;
  bool is_answered_later = done && (request.ask == DebugAsk::go || request.ask == DebugAsk::step);
  if (!is_answered_later) is_done_ |= !send_reply(socket_.get(), reply);
}

Result<void> DebugEngine::answer(const DebugRequest& request, DebugReply& reply) {
  HeldThread* thread = threads_.find(request.tid);
  auto no_thread = [&] { return fail(ErrorKind::gone, fmt::format("there is no thread {}", request.tid)); };
  auto no_breakpoint = [&] { return fail(ErrorKind::not_found, fmt::format("there is no breakpoint {}", request.id)); };
  switch (request.ask) {
    case DebugAsk::go: {
      is_going_ = true;
      // A breakpoint that was set where the thread stands is one it has passed.
      HeldThread* event = threads_.find(event_thread_);
      if (event != nullptr && event->is_stopped() && !event->is_news) event->passed = event->registers.rip;
      run_all_and_tell();
      return {};
    }
    case DebugAsk::step:
      if (thread == nullptr || !thread->is_stopped()) return no_thread();
      begin_step(request.tid);
      return {};
    case DebugAsk::set_breakpoint:
      return set_breakpoint(request, reply);
    case DebugAsk::remove_breakpoint:
      if (!table_.remove(static_cast<uint32_t>(request.id))) return no_breakpoint();
      return {};
    case DebugAsk::enable_breakpoint:
      if (!table_.enable(static_cast<uint32_t>(request.id), request.value != 0, threads_.helper()))
        return no_breakpoint();
      return {};
    case DebugAsk::breakpoints:
      reply.breakpoints = table_.states();
      return {};
    case DebugAsk::threads:
      list_threads(request.tid, reply);
      return {};
    case DebugAsk::write_registers:
      if (thread == nullptr || !thread->is_stopped()) return no_thread();
      thread->registers = request.registers;
      thread->has_new_registers = true;
      return {};
    case DebugAsk::set_signal:
      if (thread == nullptr || !thread->is_stopped()) return no_thread();
      thread->signal = static_cast<int>(request.value);
      return {};
    case DebugAsk::stop_at_signal:
      if (request.id == 0 || request.id >= stops_at_.size()) return fail(ErrorKind::usage, "there is no such signal");
      stops_at_[request.id] = request.value != 0;
      return {};
    case DebugAsk::detach:
      is_done_ = true;
      return {};
    case DebugAsk::break_in:
      break;
  }
  return {};
}

}  // namespace culprit
