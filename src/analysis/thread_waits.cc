#include "analysis/thread_waits.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "format/procfs.h"
#include "symbols/function_name.h"

namespace culprit {
namespace {

// What a call waits for, before the name of the handle that its first argument is, if it is one.
struct CallRow {
  uint64_t number;
  std::string_view words;
  bool has_handle = false;
};

constexpr uint64_t call_futex_waitv = 449, call_epoll_pwait2 = 441, call_futex_wait = 455;

constexpr CallRow call_rows[] = {
    {SYS_read, "reads from", true},
    {SYS_readv, "reads from", true},
    {SYS_pread64, "reads from", true},
    {SYS_preadv, "reads from", true},
    {SYS_preadv2, "reads from", true},
    {SYS_write, "writes to", true},
    {SYS_writev, "writes to", true},
    {SYS_pwrite64, "writes to", true},
    {SYS_pwritev, "writes to", true},
    {SYS_pwritev2, "writes to", true},
    {SYS_recvfrom, "receives from", true},
    {SYS_recvmsg, "receives from", true},
    {SYS_recvmmsg, "receives from", true},
    {SYS_sendto, "sends to", true},
    {SYS_sendmsg, "sends to", true},
    {SYS_sendmmsg, "sends to", true},
    {SYS_sendfile, "sends a file to", true},
    {SYS_splice, "splices from", true},
    {SYS_tee, "copies from", true},
    {SYS_accept, "accepts connections on", true},
    {SYS_accept4, "accepts connections on", true},
    {SYS_connect, "connects", true},
    {SYS_ioctl, "is in an ioctl on", true},
    {SYS_fsync, "waits for the disk to have all of", true},
    {SYS_fdatasync, "waits for the disk to have all of", true},
    {SYS_close, "closes", true},
    {SYS_flock, "waits for the lock on", true},
    {SYS_epoll_wait, "waits for events of", true},
    {SYS_epoll_pwait, "waits for events of", true},
    {call_epoll_pwait2, "waits for events of", true},
    {SYS_io_uring_enter, "waits for completions of", true},
    {SYS_getdents64, "lists", true},
    {SYS_mq_timedreceive, "waits for a message in", true},
    {SYS_mq_timedsend, "waits for room in", true},
    {SYS_poll, "polls its handles"},
    {SYS_ppoll, "polls its handles"},
    {SYS_select, "waits in select"},
    {SYS_pselect6, "waits in select"},
    {SYS_futex, "waits for a futex"},
    {call_futex_waitv, "waits for one of several futexes"},
    {call_futex_wait, "waits for a futex"},
    {SYS_nanosleep, "sleeps"},
    {SYS_clock_nanosleep, "sleeps"},
    {SYS_wait4, "waits for a child process"},
    {SYS_waitid, "waits for a child process"},
    {SYS_vfork, "waits for the child that it made by vfork"},
    {SYS_clone, "waits for the child that it made by vfork"},
    {SYS_clone3, "waits for the child that it made by vfork"},
    {SYS_pause, "waits for a signal"},
    {SYS_rt_sigsuspend, "waits for a signal"},
    {SYS_rt_sigtimedwait, "waits for a signal"},
    {SYS_semop, "waits for a System V semaphore"},
    {SYS_semtimedop, "waits for a System V semaphore"},
    {SYS_msgrcv, "waits for a System V message"},
    {SYS_msgsnd, "waits for room in a System V queue"},
    {SYS_io_getevents, "waits for asynchronous I/O"},
    {SYS_io_pgetevents, "waits for asynchronous I/O"},
    {SYS_open, "opens a file"},
    {SYS_openat, "opens a file"},
    {SYS_sync, "waits for all disks"},
    {SYS_getrandom, "waits for random numbers"},
    // A call with a time limit that was interrupted, by a stop or a signal without handler: its number is lost.
    {SYS_restart_syscall, "waits, with a time limit"},
};

// What a library function waits for: better than the call that it makes for it. Names without underscores before them.
struct FunctionRow {
  std::string_view function;
  std::string_view words;
};

constexpr FunctionRow function_rows[] = {
    {"pthread_mutex_lock", "waits for a mutex"},
    {"pthread_mutex_timedlock", "waits for a mutex, with a time limit"},
    {"pthread_mutex_clocklock", "waits for a mutex, with a time limit"},
    {"lll_lock_wait", "waits for a mutex"},
    {"lll_lock_wait_private", "waits for a lock inside libc"},
    {"pthread_cond_wait", "waits for a condition variable"},
    {"pthread_cond_timedwait", "waits for a condition variable, with a time limit"},
    {"pthread_cond_clockwait", "waits for a condition variable, with a time limit"},
    {"pthread_rwlock_rdlock", "waits for a read-write lock, to read"},
    {"pthread_rwlock_timedrdlock", "waits for a read-write lock, to read, with a time limit"},
    {"pthread_rwlock_clockrdlock", "waits for a read-write lock, to read, with a time limit"},
    {"pthread_rwlock_wrlock", "waits for a read-write lock, to write"},
    {"pthread_rwlock_timedwrlock", "waits for a read-write lock, to write, with a time limit"},
    {"pthread_rwlock_clockwrlock", "waits for a read-write lock, to write, with a time limit"},
    {"pthread_barrier_wait", "waits at a barrier"},
    {"pthread_join", "waits for a thread to end"},
    {"pthread_timedjoin_np", "waits for a thread to end, with a time limit"},
    {"pthread_clockjoin_ex", "waits for a thread to end"},
    {"pthread_once", "waits for another thread's pthread_once"},
    {"cxa_guard_acquire", "waits for another thread to make a static variable"},
    {"sem_wait", "waits for a semaphore"},
    {"new_sem_wait", "waits for a semaphore"},
    {"new_sem_wait_slow64", "waits for a semaphore"},  // sem_wait() jumps there
    {"do_futex_wait", "waits for a semaphore"},        // of older glibcs, for semaphores alone
    {"sem_timedwait", "waits for a semaphore, with a time limit"},
    {"sem_clockwait", "waits for a semaphore, with a time limit"},
    {"getaddrinfo", "looks up a host name"},
    {"dlopen", "loads a library"},
    {"sleep", "sleeps"},
    {"usleep", "sleeps"},
    {"clock_nanosleep", "sleeps"},
    {"nanosleep", "sleeps"},
    {"poll", "polls its handles"},
};

const CallRow* row_of(uint64_t number) {
  auto found = std::ranges::find(call_rows, number, &CallRow::number);
  return found == std::end(call_rows) ? nullptr : found;
}

// glibc's own names for its functions: "___pthread_mutex_lock", "__GI___poll".
std::string_view bare_name(std::string_view name) {
  for (size_t before = 0; before != name.size();) {
    before = name.size();
    while (name.starts_with('_')) name.remove_prefix(1);
    if (name.starts_with("GI_")) name.remove_prefix(3);
  }
  return name.substr(0, name.find('.'));  // "do_futex_wait.constprop.0"
}

// The outermost one of those that the program's own code has called: it knows best why the others wait.
const FunctionRow* function_row(const ReportStack& stack) {
  constexpr size_t deepest = 32;
  const FunctionRow* best = nullptr;
  for (size_t i = 0; i < std::min(stack.frames.size(), deepest); ++i) {
    const ReportFrame& frame = stack.frames[i];
    if (frame.own && frame.skipped_by.empty()) break;
    std::string name = qualified_name(frame.function);
    auto found = std::ranges::find(function_rows, bare_name(name), &FunctionRow::function);
    if (found != std::end(function_rows)) best = found;
  }
  return best;
}

std::string handle_words(uint64_t value, const HandleNames& names) {
  std::string name = names ? names(value) : "";
  return fmt::format(" fd {}{}", value, name.empty() ? "" : fmt::format(" ({})", name));
}

std::string call_words(const BlockingCall& call, const HandleNames& names) {
  bool waits_for_lock =
      call.number == SYS_fcntl && (call.arguments[1] == F_SETLKW || call.arguments[1] == F_OFD_SETLKW);
  if (waits_for_lock) return "waits for a lock on" + handle_words(call.arguments[0], names);
  const CallRow* row = row_of(call.number);
  if (row == nullptr) return fmt::format("is in system call {}", call.number);
  return std::string(row->words) + (row->has_handle ? handle_words(call.arguments[0], names) : "");
}

std::string_view state_words(const TargetThread& thread) {
  switch (thread.state) {
    case 'R':
      return "runs";
    case 'D':
      return "waits inside the kernel";
    case 'T':
      return "is stopped by a signal";
    case 't':
      return "is stopped by a debugger";
    case 'S':
      return "waits";
    default:
      return "";
  }
}

}  // namespace

HandleNames names_of_handles(const Target& target) {
  if (target.info().kind != TargetKind::live) return {};
  return [pid = target.info().pid](uint64_t value) -> std::string {
    std::array<char, 4096> text;
    ssize_t size = readlink(fmt::format("/proc/{}/fd/{}", pid, value).c_str(), text.data(), text.size());
    if (size <= 0) return "";
    FdTarget opened = parse_fd_link({text.data(), static_cast<size_t>(size)});
    bool has_path = opened.name.starts_with('/');
    return has_path ? opened.name : std::string(opened.type);
  };
}

std::string wait_in_words(const TargetThread& thread, const ReportStack& stack, const HandleNames& names) {
  std::string words(state_words(thread));
  bool is_stopped = thread.state == 'T' || thread.state == 't';
  if (!thread.blocked_in) return words;
  const FunctionRow* function = function_row(stack);
  std::string wait = function != nullptr ? std::string(function->words) : call_words(*thread.blocked_in, names);
  return is_stopped ? words + ", " + wait : wait;
}

}  // namespace culprit
