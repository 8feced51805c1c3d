#include "target/ptrace_threads.h"

#include <dirent.h>
#include <elf.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/syscall.h"
#include "base/text.h"
#include "format/procfs.h"
#include "model/clock.h"

namespace culprit {
namespace {

constexpr int event_stop = 128;  // PTRACE_EVENT_STOP

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\0')) text.remove_suffix(1);
  return text;
}

// Of the calls that signal(7) lists as failing with EINTR after a mere stop, those that can be made again.
constexpr long long repeatable_calls[] = {
    SYS_epoll_wait,     SYS_epoll_pwait, 441 /* epoll_pwait2 */, SYS_rt_sigtimedwait,
    SYS_semop,          SYS_semtimedop,  SYS_io_getevents,       SYS_io_pgetevents,
    SYS_io_uring_enter, SYS_read,        SYS_recvfrom,           SYS_recvmsg,
    SYS_accept,         SYS_accept4};

}  // namespace

std::vector<uint32_t> threads_of(uint32_t pid) {
  std::vector<uint32_t> threads;
  DIR* folder = opendir(fmt::format("/proc/{}/task", pid).c_str());
  if (folder == nullptr) return threads;
  while (const dirent* entry = readdir(folder)) {
    if (entry->d_name[0] != '.') threads.push_back(static_cast<uint32_t>(strtoul(entry->d_name, nullptr, 10)));
  }
  closedir(folder);
  std::sort(threads.begin(), threads.end());
  return threads;
}

char thread_state_letter(uint32_t pid, uint32_t tid) {
  auto text = read_whole_file(fmt::format("/proc/{}/task/{}/stat", pid, tid), 4096);
  auto stat = text ? parse_stat(*text) : std::nullopt;
  return stat ? stat->state : 'X';
}

bool is_ending(uint32_t pid, uint32_t tid) {
  char state = thread_state_letter(pid, tid);
  return state == 'Z' || state == 'X' || state == 'x';
}

bool has_ended(uint32_t pid) {
  std::vector<uint32_t> threads = threads_of(pid);
  return threads.empty() || (threads.size() == 1 && is_ending(pid, threads.front()));
}

uint32_t living_thread(uint32_t pid) {
  if (!is_ending(pid, pid)) return pid;
  for (uint32_t tid : threads_of(pid))
    if (!is_ending(pid, tid)) return tid;
  return pid;
}

namespace {

// A thread of ours held it as it was killed: it stays named as the tracer until nothing is left of the process, which
// takes the kernel a moment.
bool ends_in_our_hands(uint32_t pid, const ProcessStatus& status) {
  if (status.tracer == 0) return has_ended(pid);
  auto text = read_whole_file(fmt::format("/proc/{}/status", status.tracer), 65536);
  auto tracer = text ? parse_status(*text) : std::nullopt;
  const bool is_ours = tracer && tracer->process == static_cast<uint32_t>(getpid());
  for (int left = is_ours ? 100 : 0; left > 0 && !has_ended(pid); --left) usleep(1000);
  return has_ended(pid);
}

}  // namespace

Error why_not_traceable(uint32_t pid, int error_number) {
  if (error_number == ESRCH) return {ErrorKind::gone, fmt::format("process {} has ended", pid), {}};
  auto text = read_whole_file(fmt::format("/proc/{}/status", pid), 65536);
  auto status = text ? parse_status(*text) : std::nullopt;
  if (!status || ends_in_our_hands(pid, *status))
    return {ErrorKind::gone, fmt::format("process {} has ended", pid), {}};
  if (status->tracer != 0) {
    auto name = read_whole_file(fmt::format("/proc/{}/comm", status->tracer), 64);
    return {ErrorKind::no_access,
            fmt::format("process {} is being traced already, by process {}{}", pid, status->tracer,
                        name ? fmt::format(" ({})", printable(trimmed(*name))) : ""),
            {}};
  }
  if (error_number != EPERM && error_number != EACCES)
    return {ErrorKind::system, fmt::format("process {} cannot be traced: {}", pid, strerror(error_number)), {}};
  if (status->effective_uid != geteuid() || status->real_uid != getuid()) {
    return {ErrorKind::no_access,
            fmt::format("process {} belongs to user {}: it takes that user's rights, or CAP_SYS_PTRACE", pid,
                        status->effective_uid),
            {}};
  }
  auto scope = read_whole_file("/proc/sys/kernel/yama/ptrace_scope", 16);
  if (scope && trimmed(*scope) != "0") {
    return {
        ErrorKind::no_access,
        fmt::format("process {} may not be traced: kernel.yama.ptrace_scope is {} here; it takes CAP_SYS_PTRACE, or "
                    "`sysctl kernel.yama.ptrace_scope=0`",
                    pid, printable(trimmed(*scope))),
        {}};
  }
  return {ErrorKind::no_access,
          fmt::format("process {} does not let itself be traced (PR_SET_DUMPABLE 0, or a security module): it takes "
                      "CAP_SYS_PTRACE",
                      pid),
          {}};
}

bool resume_interrupted_call(user_regs_struct& registers) {
  // The kernel's own word for: again, but EINTR if a handler runs. Never seen outside it.
  constexpr long long restart_without_handler = -514;
  auto call = static_cast<long long>(registers.orig_rax);
  if (call < 0 || static_cast<long long>(registers.rax) != -EINTR) return false;
  if (std::ranges::count(repeatable_calls, call) == 0) return false;
  registers.rax = static_cast<unsigned long long>(restart_without_handler);
  return true;
}

bool has_seccomp_filter(uint32_t tid) {
  auto text = read_whole_file(fmt::format("/proc/{}/status", tid), 65536);
  auto status = text ? parse_status(*text) : std::nullopt;
  return status && status->seccomp_mode != 0;
}

bool repeat_call_if_filtered(uint32_t tid, user_regs_struct& registers) {
  constexpr long long restart_with_block = -516, restart_without_handler = -514;
  bool is_restart =
      static_cast<long long>(registers.orig_rax) >= 0 && static_cast<long long>(registers.rax) == restart_with_block;
  if (!is_restart || !has_seccomp_filter(tid)) return false;
  registers.rax = static_cast<unsigned long long>(restart_without_handler);
  return true;
}

Result<TracedThread> TracedThread::seize(uint32_t pid, uint32_t tid) {
  constexpr unsigned long options = PTRACE_O_TRACESYSGOOD;
  if (ptrace(PTRACE_SEIZE, tid, nullptr, options) != 0) return tl::unexpected<Error>(why_not_traceable(pid, errno));
  return TracedThread(tid);
}

TracedThread::TracedThread(TracedThread&& other) noexcept
    : tid_(other.tid_), state_(std::exchange(other.state_, ThreadState::gone)), reason_(other.reason_) {}

TracedThread& TracedThread::operator=(TracedThread&& other) noexcept {
  if (this == &other) return *this;
  let_go();
  tid_ = other.tid_;
  state_ = std::exchange(other.state_, ThreadState::gone);
  reason_ = other.reason_;
  return *this;
}

void TracedThread::interrupt() {
  if (state_ == ThreadState::running && ptrace(PTRACE_INTERRUPT, tid_, nullptr, nullptr) != 0 && errno == ESRCH) poll();
}

ThreadState TracedThread::poll() {
  if (state_ != ThreadState::running) return state_;
  int status = 0;
  pid_t changed = waitpid(static_cast<pid_t>(tid_), &status, __WALL | WNOHANG | __WNOTHREAD);
  if (changed == 0 || (changed < 0 && errno == EINTR)) return state_;
  if (changed < 0 || !WIFSTOPPED(status)) return state_ = ThreadState::gone;
  int signal = WSTOPSIG(status), event = status >> 16;
  reason_ = {};
  reason_.is_interrupt = event == event_stop;
  reason_.is_system_call = event == 0 && signal == (SIGTRAP | 0x80);
  if (event == 0 && !reason_.is_system_call) reason_.signal = signal;
  return state_ = ThreadState::stopped;
}

ThreadState TracedThread::wait(Time deadline) {
  // Mostly it takes microseconds. Then it may need this very CPU: who sleeps is woken soon, who yields comes last.
  constexpr Time eager = 30'000;
  prctl(PR_SET_TIMERSLACK, 1);
  Time begin = monotonic_now();
  for (Time now = begin; poll() == ThreadState::running && now < deadline; now = monotonic_now()) {
    timespec pause{0, now - begin < 2'000'000 ? 20'000 : 200'000};
    if (now - begin > eager) nanosleep(&pause, nullptr);
  }
  return state_;
}

bool TracedThread::read_registers(user_regs_struct& registers) const {
  return ptrace(PTRACE_GETREGS, tid_, nullptr, &registers) == 0;
}

std::vector<uint64_t> TracedThread::read_wide_registers() const {
  std::array<uint64_t, 8192> words;  // the largest area there is takes 11 KB
  iovec area{words.data(), sizeof words};
  if (ptrace(PTRACE_GETREGSET, tid_, NT_X86_XSTATE, &area) != 0) return {};
  return {words.data(), words.data() + area.iov_len / sizeof(uint64_t)};
}

bool TracedThread::write_registers(const user_regs_struct& registers) {
  return ptrace(PTRACE_SETREGS, tid_, nullptr, &registers) == 0;
}

void TracedThread::run_on(__ptrace_request how) {
  if (state_ != ThreadState::stopped) return;
  bool runs = ptrace(how, tid_, nullptr, static_cast<long>(reason_.signal)) == 0;
  state_ = runs ? ThreadState::running : ThreadState::gone;
}

void TracedThread::let_go(const user_regs_struct* known) {
  constexpr Time patience = 20'000'000;
  if (state_ == ThreadState::running) {
    interrupt();
    if (wait(monotonic_now() + patience) == ThreadState::running) return;
  }
  if (state_ != ThreadState::stopped) return;
  user_regs_struct registers{};
  if (known != nullptr) registers = *known;
  if (reason_.is_interrupt && (known != nullptr || read_registers(registers)) &&
      (resume_interrupted_call(registers) || repeat_call_if_filtered(tid_, registers)))
    write_registers(registers);
  ptrace(PTRACE_DETACH, tid_, nullptr, static_cast<long>(reason_.signal));
  state_ = ThreadState::gone;
}

}  // namespace culprit
