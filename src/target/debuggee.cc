#include "target/debuggee.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/syscall.h"
#include "model/clock.h"
#include "target/debug_engine.h"

namespace culprit {
namespace {

// Nothing of the console's stays open here but these two; a terminal's signals do not come.
void become_engine(uint32_t pid, VictimMemory memory, Fd socket) {
  setsid();
  prctl(PR_SET_NAME, "culprit-engine");
  for (int number : {0, 1, 2}) {
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0 && null != number) dup2(null, number);
    if (null > 2) close(null);
  }
  for (int signal : {SIGINT, SIGQUIT, SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU}) ::signal(signal, SIG_IGN);
  DebugEngine engine(pid, std::move(memory), std::move(socket));
  engine.work();
}

// Descriptors other than two.
void close_all_but(int one, int other) {
  auto first = static_cast<unsigned>(std::min(one, other)), last = static_cast<unsigned>(std::max(one, other));
  auto close_some = [](unsigned from, unsigned to) {
    if (from <= to) syscall(SYS_close_range, from, to, 0);
  };
  if (first > 3) close_some(3, first - 1);
  if (last > first + 1) close_some(std::max(3u, first + 1), last - 1);
  close_some(std::max(3u, last + 1), ~0u);
}

}  // namespace

Result<std::unique_ptr<Debuggee>> Debuggee::attach(uint32_t pid) {
  if (pid == static_cast<uint32_t>(getpid()))
    return fail(ErrorKind::unsupported,
                fmt::format("process {} is culprit itself: stopped, it could not let itself go on", pid));
  auto memory = VictimMemory::open(pid);
  auto guarded = VictimMemory::open(pid), used_by_engine = VictimMemory::open(pid);
  for (auto* opened : {&memory, &guarded, &used_by_engine}) {
    if (!*opened) return tl::unexpected<Error>(opened->error());
  }
  int ends[2];
  auto paired =
      checked("make a pair of sockets", [&] { return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends); });
  if (!paired) return tl::unexpected<Error>(std::move(paired).error());
  Fd ours(ends[0]), theirs(ends[1]);
  pid_t engine = fork();
  if (engine < 0) return tl::unexpected<Error>(system_error("start the engine", errno));
  if (engine == 0) {
    close_all_but(theirs.get(), used_by_engine->descriptor());
    become_engine(pid, std::move(*used_by_engine), std::move(theirs));
    _exit(0);
  }
  theirs.reset();
  std::unique_ptr<Debuggee> debuggee(
      new Debuggee(pid, static_cast<uint32_t>(engine), std::move(ours), std::move(*memory)));
  auto attached = debuggee->reply();
  if (!attached) return tl::unexpected<Error>(std::move(attached).error());
  auto guard = BreakpointGuard::stand(debuggee->engine_, std::move(*guarded));
  if (!guard) return tl::unexpected<Error>(std::move(guard).error());
  debuggee->guard_ = std::move(*guard);
  return debuggee;
}

Debuggee::~Debuggee() {
  if (!is_over_) detach();
  socket_.reset();  // where the engine has not ended by itself, it does now
  while (waitpid(static_cast<pid_t>(engine_), nullptr, 0) < 0 && errno == EINTR) continue;
}

tl::unexpected<Error> Debuggee::engine_is_gone() {
  is_over_ = true;
  return fail(ErrorKind::gone,
              fmt::format("culprit's engine (process {}) was ended from outside; breakpoints have been "
                          "taken out of process {}, which runs on",
                          engine_, pid_));
}

Result<DebugReply> Debuggee::reply() {
  auto reply = receive_reply(socket_.get());
  if (!reply) return engine_is_gone();
  if (!reply->error.empty()) return fail(reply->error_kind, reply->error);
  return std::move(*reply);
}

Result<DebugReply> Debuggee::ask(const DebugRequest& request) {
  if (is_over_) return fail(ErrorKind::gone, fmt::format("process {} is not debugged any more", pid_));
  if (!send_request(socket_.get(), request)) return engine_is_gone();
  return reply();
}

void Debuggee::wait_for_reply(const RunBound& bound) {
  constexpr Time look_interval = 50'000'000;
  Time end = bound.duration == 0 ? 0 : monotonic_now() + bound.duration;
  for (bool was_told = false;;) {
    pollfd waited{socket_.get(), POLLIN, 0};
    Time patience = end == 0 ? look_interval : std::clamp<Time>(end - monotonic_now(), 0, look_interval);
    bool has_answer = poll(&waited, 1, static_cast<int>((was_told ? look_interval : patience) / 1'000'000)) > 0;
    if (has_answer) return;
    bool is_wanted = (end != 0 && monotonic_now() >= end) || (bound.wants_break_in && bound.wants_break_in());
    if (!is_wanted || std::exchange(was_told, true)) continue;
    if (!send_request(socket_.get(), {.ask = DebugAsk::break_in})) return;
  }
}

Result<DebugStop> Debuggee::run(const DebugRequest& request, const RunBound& bound) {
  if (is_over_) return fail(ErrorKind::gone, fmt::format("process {} is not debugged any more", pid_));
  if (!send_request(socket_.get(), request)) return engine_is_gone();
  wait_for_reply(bound);
  auto answered = reply();
  if (!answered) return tl::unexpected<Error>(std::move(answered).error());
  switch (answered->stop.kind) {
    case DebugStopKind::exited:
    case DebugStopKind::killed:
    case DebugStopKind::lost:
      is_over_ = true;
      break;
    case DebugStopKind::executed: {
      originals_.clear();
      auto memory = VictimMemory::open(pid_), guarded = VictimMemory::open(pid_);
      if (memory) memory_ = std::move(*memory);
      if (guarded) guard_->forget_all(std::move(*guarded));
      break;
    }
    default:
      break;
  }
  return answered->stop;
}

Result<DebugStop> Debuggee::go(const RunBound& bound) { return run({.ask = DebugAsk::go}, bound); }
Result<DebugStop> Debuggee::step(uint32_t tid, const RunBound& bound) {
  return run({.ask = DebugAsk::step, .tid = tid}, bound);
}

Result<uint32_t> Debuggee::set_breakpoint(const BreakpointRequest& request, const Expression& condition) {
  if (condition.size() > most_condition_steps)
    return fail(ErrorKind::limit, fmt::format("a condition has at most {} steps", most_condition_steps));
  // Before the engine changes it, so that there is no moment when only the engine knows.
  std::byte original{};
  if (!guard_->note(request.address) || !memory_.read_value(request.address, original))
    return fail(ErrorKind::not_found, fmt::format("there is no code at {:#x}", request.address), request.address);
  if (original != std::byte{0xcc}) originals_[request.address] = original;
  auto answered = ask({.ask = DebugAsk::set_breakpoint, .breakpoint = request, .condition = condition});
  if (!answered) return tl::unexpected<Error>(std::move(answered).error());
  return static_cast<uint32_t>(answered->value);
}

Result<void> Debuggee::remove_breakpoint(uint32_t id) {
  CULPRIT_TRY(ask({.ask = DebugAsk::remove_breakpoint, .id = id}));
  return {};
}
Result<void> Debuggee::enable_breakpoint(uint32_t id, bool is_enabled) {
  CULPRIT_TRY(ask({.ask = DebugAsk::enable_breakpoint, .id = id, .value = is_enabled ? 1u : 0u}));
  return {};
}

Result<std::vector<BreakpointState>> Debuggee::breakpoints() {
  auto answered = ask({.ask = DebugAsk::breakpoints});
  if (!answered) return tl::unexpected<Error>(std::move(answered).error());
  return std::move(answered->breakpoints);
}

Result<std::vector<DebuggedThread>> Debuggee::threads() {
  std::vector<DebuggedThread> all;
  for (size_t before = ~size_t{0}; before != all.size();) {
    before = all.size();
    auto answered = ask({.ask = DebugAsk::threads, .tid = all.empty() ? 0 : all.back().tid});
    if (!answered) return tl::unexpected<Error>(std::move(answered).error());
    all.insert(all.end(), answered->threads.begin(), answered->threads.end());
    if (answered->threads.size() < threads_per_reply) break;
  }
  return all;
}

Result<DebuggedThread> Debuggee::thread(uint32_t tid) {
  auto answered = ask({.ask = DebugAsk::threads, .tid = tid - 1});
  if (!answered) return tl::unexpected<Error>(std::move(answered).error());
  if (answered->threads.empty() || answered->threads.front().tid != tid)
    return fail(ErrorKind::gone, fmt::format("there is no thread {}", tid));
  return answered->threads.front();
}

Result<void> Debuggee::write_registers(uint32_t tid, const Registers& registers) {
  CULPRIT_TRY(ask({.ask = DebugAsk::write_registers, .tid = tid, .registers = registers}));
  return {};
}
Result<void> Debuggee::set_signal(uint32_t tid, int signal) {
  CULPRIT_TRY(ask({.ask = DebugAsk::set_signal, .tid = tid, .value = static_cast<uint64_t>(signal)}));
  return {};
}
Result<void> Debuggee::stop_at_signal(int signal, bool does) {
  CULPRIT_TRY(ask({.ask = DebugAsk::stop_at_signal, .id = static_cast<uint64_t>(signal), .value = does ? 1u : 0u}));
  return {};
}

bool Debuggee::read_memory(uint64_t address, std::span<std::byte> into) {
  if (!memory_.read(address, into)) return false;
  for (auto known = originals_.lower_bound(address); known != originals_.end(); ++known) {
    if (known->first - address >= into.size()) break;
    std::byte& byte = into[known->first - address];
    if (byte == std::byte{0xcc}) byte = known->second;
  }
  return true;
}

bool Debuggee::write_memory(uint64_t address, Bytes bytes) { return memory_.write(address, bytes); }

Result<void> Debuggee::detach() {
  if (is_over_) return {};
  auto answered = ask({.ask = DebugAsk::detach});
  is_over_ = true;
  if (!answered) return tl::unexpected<Error>(std::move(answered).error());
  // It answers before it begins, and ends when it is done.
  siginfo_t info{};
  while (waitid(P_PID, engine_, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR) continue;
  return {};
}

}  // namespace culprit
