// The answer to "who holds the lock that everybody waits for?" as plain data. All strings from outside are raw: who
// prints them makes them printable.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analysis/handle_report.h"
#include "format/pthread_lock.h"
#include "model/ids.h"
#include "model/loss.h"

namespace culprit {

// What a thread can wait for.
enum class LockKind : uint8_t {
  mutex,         // pthread_mutex_t, and the C++ mutexes
  rwlock,        // pthread_rwlock_t, std::shared_mutex
  condition,     // pthread_cond_t, std::condition_variable
  semaphore,     // sem_t
  barrier,       // pthread_barrier_t
  thread_end,    // pthread_join, std::thread::join
  once,          // pthread_once, std::call_once
  static_guard,  // the initialisation of a static variable in a function
  future,        // std::future
  stream,        // the lock inside a FILE
  internal,      // a lock that libc or the loader keeps for itself: malloc's arenas, lists of threads …
  word,          // std::atomic::wait, and what is made of it
  futex,         // something else that waits by futex
  file,          // flock, fcntl and open-file-description locks
  pipe,          // the other end of a pipe, or of a fifo
  socket,        // the other end of a unix socket
  child,         // the end of another process
};
inline constexpr size_t lock_kind_count = 17;

enum class WaitMode : uint8_t { lock, read, write };

// A lock's own state, as its bytes say. Fields that a kind does not have stay as they are.
struct LockState {
  LockKind kind = LockKind::futex;
  uint64_t address = 0;  // of its first byte; of thread_end: of the futex; 0: it lies in the kernel
  MutexType type = MutexType::normal;
  MutexState state = MutexState::unlocked;
  bool is_robust = false, inherits_priority = false, protects_priority = false, is_process_shared = false;
  bool prefers_writers = false;
  uint32_t owner = 0;      // thread id as the process sees it; 0: nobody, or it is not recorded
  uint32_t recursion = 0;  // how often the owner has it
  uint32_t readers = 0;    // that hold it; rwlock
  uint32_t readers_waiting = 0, writers_waiting = 0;
  uint32_t waiters = 0;              // as a condition variable or semaphore counts them
  uint32_t value = 0;                // semaphore
  uint32_t needed = 0, arrived = 0;  // barrier

  bool operator==(const LockState&) const = default;
};

struct LockThread {
  uint32_t tid = 0;
  std::string name;
  // Of another process than the target; 0: the target's own.
  uint32_t pid = 0;
  std::string process;

  bool operator==(const LockThread&) const = default;
};

enum class OwnerState : uint8_t {
  none,           // nobody holds it, or it has no owner
  not_recorded,   // somebody does, but nothing says who (read locks)
  here,           // a thread of the target
  other_process,  // a thread of another process, which shares the lock
  gone,           // there is no such thread any more
};

// What speaks for a place where a lock was taken. Nothing records it.
enum class TakenEvidence : uint8_t {
  code,     // a function on its owner's stack names it, before the place where the function stands
  pointer,  // a pointer to it lies among the variables of one that has called a function which locks
};
struct TakenPlace {
  TakenEvidence evidence = TakenEvidence::code;
  ReportFrame frame;  // line 0: which line of the function is not known
};

struct LockInfo {
  LockState lock;
  std::string name;    // of the variable, or what it is made of: "g_mutex1", "pool+0x40", a file's path; empty: unknown
  std::string module;  // path of the module that has the variable
  bool is_refused = false;  // which mutex it is, is not known: the kernel refused to let a thread wait for it
  OwnerState owner_state = OwnerState::none;
  std::optional<LockThread> owner;
  std::optional<TakenPlace> taken;   // probably, by its owner; nothing: nothing speaks for any place, or not looked for
  std::string owner_note;            // one sentence on an owner that is gone; may be empty
  std::vector<LockThread> may_hold;  // where owners are not recorded: processes' threads that could release it
  std::vector<size_t> waits;         // indexes into LockReport::waits
};

struct LockWait {
  LockThread thread;
  size_t lock = 0;  // index into LockReport::locks
  WaitMode mode = WaitMode::lock;
  bool is_timed = false;
  std::optional<double> seconds_left;    // until a timed wait gives up
  std::optional<double> seconds_waited;  // at least; unknown in cores, and of waits that are in no verdict
  bool is_still = false;                 // it has not moved between the looks
  ReportStack where;                     // empty: not asked for
};

// A thread of a verdict: what it holds of it, and what it waits for.
struct LockStep {
  LockThread thread;
  std::optional<size_t> holds;      // index into LockReport::locks
  std::optional<size_t> waits_for;  // index into LockReport::waits; nothing: it does not wait for a lock
  ReportStack where;
  std::string doing;  // of one that waits for no lock: "runs", "sleeps", "reads from a pipe"
};

enum class LockVerdictKind : uint8_t {
  deadlock,         // a cycle: none of them will ever go on
  self_deadlock,    // a thread waits for what it holds itself
  owner_gone,       // held by a thread that has ended
  will_time_out,    // a cycle that ends when a timed wait gives up
  possible_cycle,   // it would be one if an owner that is not recorded is who it seems to be
  waiting_for_one,  // a chain whose last owner waits for no lock
};
inline constexpr size_t lock_verdict_count = 6;

struct LockVerdict {
  LockVerdictKind kind = LockVerdictKind::waiting_for_one;
  // Of a cycle: each waits for what the next one holds, the last for what the first holds. Of a chain: the last one
  // holds what the others wait for.
  std::vector<LockStep> steps;
  std::vector<LockThread> behind;      // threads that wait for these, directly or not, without being steps
  std::optional<double> seconds_left;  // will_time_out
  std::string why_possible;            // of a possible cycle, one sentence
};

struct LockReport {
  std::string target;
  bool is_live = false;
  uint32_t pid = 0;
  uint32_t threads = 0;               // in all
  double seconds_between = 0;         // the looks; 0: one look
  std::vector<LockVerdict> verdicts;  // worst first
  std::vector<LockInfo> locks;        // those that somebody waits for, or that was asked for
  std::vector<LockWait> waits;
  std::optional<size_t> asked;     // the lock that was asked for
  uint64_t moved = 0;              // waits that were other ones in the second look: the program goes on there
  std::vector<std::string> notes;  // what could not be looked at, sentences
  std::vector<MergedLoss> losses;
  bool exact = true;
  Time longest_stop = 0;
};

}  // namespace culprit
