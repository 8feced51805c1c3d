#include "analysis/wait_names.h"

#include <algorithm>
#include <array>

#include "symbols/function_name.h"

namespace culprit {

namespace {

struct WaitFunction {
  std::string_view name;  // without leading underscores and version
  LockKind kind;
};

// The functions by which a program asks to wait. Innermost first decides: std::call_once ends in pthread_once.
constexpr WaitFunction wait_functions[] = {
    {"pthread_mutex_lock", LockKind::mutex},
    {"pthread_mutex_lock_full", LockKind::mutex},
    {"pthread_mutex_timedlock", LockKind::mutex},
    {"pthread_mutex_clocklock", LockKind::mutex},
    {"pthread_mutex_clocklock_common", LockKind::mutex},
    {"pthread_mutex_cond_lock", LockKind::mutex},
    {"pthread_mutex_cond_lock_full", LockKind::mutex},
    {"pthread_rwlock_rdlock", LockKind::rwlock},
    {"pthread_rwlock_wrlock", LockKind::rwlock},
    {"pthread_rwlock_timedrdlock", LockKind::rwlock},
    {"pthread_rwlock_timedwrlock", LockKind::rwlock},
    {"pthread_rwlock_clockrdlock", LockKind::rwlock},
    {"pthread_rwlock_clockwrlock", LockKind::rwlock},
    {"pthread_cond_wait", LockKind::condition},
    {"pthread_cond_timedwait", LockKind::condition},
    {"pthread_cond_clockwait", LockKind::condition},
    {"cnd_wait", LockKind::condition},
    {"cnd_timedwait", LockKind::condition},
    {"sem_wait", LockKind::semaphore},
    {"sem_timedwait", LockKind::semaphore},
    {"sem_clockwait", LockKind::semaphore},
    {"new_sem_wait", LockKind::semaphore},
    {"new_sem_wait_slow64", LockKind::semaphore},
    {"pthread_barrier_wait", LockKind::barrier},
    {"pthread_join", LockKind::thread_end},
    {"pthread_timedjoin_np", LockKind::thread_end},
    {"pthread_clockjoin_np", LockKind::thread_end},
    {"pthread_clockjoin_ex", LockKind::thread_end},
    {"thrd_join", LockKind::thread_end},
    {"pthread_once", LockKind::once},
    {"pthread_once_slow", LockKind::once},
    {"call_once", LockKind::once},
    {"cxa_guard_acquire", LockKind::static_guard},
    {"std::__atomic_futex_unsigned_base::_M_futex_wait_until", LockKind::future},
    {"std::__atomic_futex_unsigned_base::_M_futex_wait_until_steady", LockKind::future},
    {"std::__detail::__platform_wait", LockKind::word},
    {"std::__atomic_wait_address", LockKind::word},
    {"std::__atomic_wait_address_v", LockKind::word},
    {"std::__atomic_wait_address_bare", LockKind::word},
    {"std::__atomic_base::wait", LockKind::word},
};

struct InternalLock {
  std::string_view name;
  std::string_view what;
};

// Who takes a lock of libc's own (lll_lock_wait_private), and which one that is.
constexpr InternalLock internal_locks[] = {
    {"malloc", "malloc's arena"},
    {"libc_malloc", "malloc's arena"},
    {"int_malloc", "malloc's arena"},
    {"sysmalloc", "malloc's arena"},
    {"tcache_init", "malloc's arena"},
    {"int_free_merge_chunk", "malloc's arena"},
    {"int_free", "malloc's arena"},
    {"free", "malloc's arena"},
    {"cfree", "malloc's arena"},
    {"libc_free", "malloc's arena"},
    {"calloc", "malloc's arena"},
    {"libc_calloc", "malloc's arena"},
    {"realloc", "malloc's arena"},
    {"libc_realloc", "malloc's arena"},
    {"arena_get2", "malloc's arena"},  // waits for one, or for their list
    {"mallinfo", "malloc's arena"},
    {"mallinfo2", "malloc's arena"},
    {"malloc_trim", "malloc's arena"},
    {"posix_memalign", "malloc's arena"},
    {"memalign", "malloc's arena"},
    {"aligned_alloc", "malloc's arena"},
    {"run_exit_handlers", "the list of exit handlers"},
    {"cxa_atexit", "the list of exit handlers"},
    {"pthread_create", "the list of threads' stacks"},
    {"nptl_deallocate_stack", "the list of threads' stacks"},
    {"tz_convert", "the time zone"},
    {"tzset", "the time zone"},
    {"IO_link_in", "the list of streams"},
    {"IO_un_link", "the list of streams"},
    {"IO_flush_all", "the list of streams"},
    {"vsyslog_internal", "syslog"},
    {"setenv", "the environment"},
    {"add_to_environ", "the environment"},
    {"setlocale", "the locale"},
};

constexpr std::string_view internal_waits[] = {"lll_lock_wait_private", "lll_lock_wait"};

// "__GI___pthread_mutex_lock" -> "pthread_mutex_lock"; names of C++ keep their own.
std::string plain_name(std::string_view function) {
  std::string name = qualified_name(function);
  if (name.find("::") != name.npos) return name;
  std::string_view rest = name;
  rest = rest.substr(0, rest.find('@'));
  for (std::string_view before : {"__GI_", "_", "_", "_"})
    if (rest.starts_with(before)) rest.remove_prefix(before.size());
  return std::string(rest);
}

constexpr size_t frames_looked_at = 10;

bool takes_internal(const ReportFrame& frame, std::string_view what) {
  const std::string name = plain_name(frame.function);
  return std::ranges::any_of(internal_locks,
                             [&](const InternalLock& lock) { return lock.what == what && lock.name == name; });
}

}  // namespace

bool may_hold_internal(const ReportStack& stack, std::string_view what, size_t from) {
  for (size_t at = from; at < stack.frames.size(); at++)
    if (takes_internal(stack.frames[at], what)) return true;
  return false;
}

size_t caller_of_internal(const ReportStack& stack, const NamedWait& wait) {
  size_t at = wait.frame;
  while (at < stack.frames.size() && takes_internal(stack.frames[at], wait.what)) at++;
  return at;
}

std::optional<NamedWait> wait_named_by(const ReportStack& stack) {
  std::optional<NamedWait> internal;
  for (size_t at = 0; at < std::min(stack.frames.size(), frames_looked_at); at++) {
    const std::string name = plain_name(stack.frames[at].function);
    for (const WaitFunction& function : wait_functions)
      if (name == function.name) return NamedWait{function.kind, "", at};
    if (std::ranges::find(internal_waits, name) != std::end(internal_waits))
      internal = NamedWait{LockKind::internal, "", at};
    if (!internal) continue;
    for (const InternalLock& lock : internal_locks)
      if (name == lock.name) return NamedWait{LockKind::internal, lock.what, at};
  }
  return internal;
}

}  // namespace culprit
