#include "view/lock_words.h"

#include <fmt/format.h>

#include <array>
#include <iterator>

#include "base/text.h"
#include "view/stack_text.h"

namespace culprit {

namespace {

constexpr size_t name_columns = 60, phrase_columns = 76;

constexpr std::array<std::string_view, lock_kind_count> kinds{"mutex",
                                                              "read-write lock",
                                                              "condition variable",
                                                              "semaphore",
                                                              "barrier",
                                                              "end of a thread",
                                                              "pthread_once",
                                                              "static variable's initialisation",
                                                              "future",
                                                              "stream's lock",
                                                              "lock of libc",
                                                              "atomic variable",
                                                              "futex",
                                                              "file lock",
                                                              "pipe",
                                                              "unix socket",
                                                              "end of a process"};
// "3 wait for …"
constexpr std::array<std::string_view, lock_kind_count> kinds_awaited{"a mutex",
                                                                      "a read-write lock",
                                                                      "a condition variable",
                                                                      "a semaphore",
                                                                      "a barrier",
                                                                      "the end of a thread",
                                                                      "a pthread_once",
                                                                      "a static variable",
                                                                      "a future",
                                                                      "a stream",
                                                                      "a lock of libc",
                                                                      "an atomic variable",
                                                                      "a futex of an unknown kind",
                                                                      "a file lock",
                                                                      "a pipe",
                                                                      "a unix socket",
                                                                      "the end of a process"};
constexpr std::array<std::string_view, lock_verdict_count> verdicts{
    "deadlock", "self-deadlock", "owner is gone", "will time out", "possible deadlock", "waiting for one"};
constexpr std::array<std::string_view, 3> modes{"lock", "read", "write"};
constexpr std::array<std::string_view, 4> mutex_types{"", "recursive ", "error-checking ", "adaptive "};

const LockInfo& lock_of(const LockReport& report, size_t wait) { return report.locks[report.waits[wait].lock]; }

std::string place_words(const LockStep& step) {
  return step.where.frames.empty() ? "" : fmt::format(" in {}", blamed_phrase(step.where, phrase_columns));
}

// Whether having it can be said to keep others waiting: nobody "holds" the end of a thread.
bool is_held(LockKind kind) { return kind != LockKind::thread_end && kind != LockKind::child; }

// "holds mutex g", "has the other end of pipe 12".
std::string holding_words(const LockInfo& lock) {
  if (lock.lock.kind == LockKind::static_guard || lock.lock.kind == LockKind::once) return "runs " + lock_words(lock);
  const bool is_stream = lock.lock.kind == LockKind::pipe || lock.lock.kind == LockKind::socket;
  std::string words = fmt::format("{} {}", is_stream ? "has the other end of" : "holds", lock_words(lock));
  if (lock.taken) words += fmt::format(", probably taken in {},", frame_phrase(lock.taken->frame, phrase_columns));
  return words;
}

// "waits in f (a.cc:1) for", "has waited for 12 s in f (a.cc:1) for"
std::string waiting_words(const LockReport& report, const LockStep& step) {
  const LockWait& wait = report.waits[*step.waits_for];
  if (!wait.seconds_waited) return fmt::format("waits{} for", place_words(step));
  return fmt::format("has waited for {}{} for", duration_in_words(*wait.seconds_waited), place_words(step));
}

std::string gone_words(const LockInfo& lock) {
  return lock.owner_note.empty() ? "which has ended" : "which is no thread of this process";
}

std::string gone_owner(const LockInfo& lock) {
  return fmt::format("thread {}, {}", lock.owner ? lock.owner->tid : lock.lock.owner, gone_words(lock));
}

std::string holder_sentence(const LockReport& report, const LockStep& step) {
  std::string words = thread_words(step.thread);
  if (step.holds && is_held(report.locks[*step.holds].lock.kind))
    words += ", which " + holding_words(report.locks[*step.holds]);
  const std::string doing = doing_words(report, step);
  return doing.empty() ? words : fmt::format("{}{} {}", words, step.holds ? " and" : ", which", doing);
}

}  // namespace

std::string_view name_of(LockKind kind) { return kinds.at(static_cast<size_t>(kind)); }
std::string_view name_of(LockVerdictKind kind) { return verdicts.at(static_cast<size_t>(kind)); }
std::string_view name_of(WaitMode mode) { return modes.at(static_cast<size_t>(mode)); }

std::string thread_words(const LockThread& thread) {
  std::string words = thread.name.empty() ? "thread" : fmt::format("\"{}\"", shown(thread.name, 32));
  if (thread.pid == 0) return fmt::format("{} (tid {})", words, thread.tid);
  return fmt::format("{} (tid {} of {}, pid {})", words, thread.tid, shown(thread.process, 32), thread.pid);
}

std::string lock_words(const LockInfo& info) {
  const LockState& lock = info.lock;
  if (lock.kind == LockKind::thread_end)
    return fmt::format("the end of {}", info.owner ? thread_words(*info.owner) : fmt::format("thread {}", lock.owner));
  const std::string_view type = lock.kind == LockKind::mutex ? mutex_types.at(static_cast<size_t>(lock.type)) : "";
  if (lock.kind == LockKind::child) return fmt::format("the end of process {}", shown(info.name, name_columns));
  if (lock.kind == LockKind::static_guard || lock.kind == LockKind::once) {
    std::string_view name = info.name;
    if (constexpr std::string_view guard = "guard variable for "; name.starts_with(guard))
      name.remove_prefix(guard.size());
    return fmt::format("the {} {}", lock.kind == LockKind::once ? "call once of" : "initialisation of",
                       name.empty() ? fmt::format("{:#x}", lock.address) : shown(name, name_columns));
  }
  if (info.is_refused) return "a mutex that inherits priority (the kernel refused it: it would be a deadlock)";
  // Of its several ones which, the offset tells.
  if (info.name.starts_with("_rtld_global"))
    return fmt::format("the loader's lock ({})", shown(info.name, name_columns));
  if (lock.kind == LockKind::internal && !info.name.empty())
    return fmt::format("the lock of {}", shown(info.name, name_columns));
  if (!info.name.empty()) return fmt::format("{}{} {}", type, name_of(lock.kind), shown(info.name, name_columns));
  return fmt::format("{}{} at {:#x}", type, name_of(lock.kind), lock.address);
}

std::string lock_state_words(const LockInfo& info) {
  const LockState& lock = info.lock;
  std::vector<std::string> words;
  if (lock.is_robust) words.emplace_back("robust");
  if (lock.inherits_priority) words.emplace_back("inherits priority");
  if (lock.protects_priority) words.emplace_back("with a priority ceiling");
  if (lock.is_process_shared) words.emplace_back("shared between processes");
  if (lock.prefers_writers) words.emplace_back("prefers writers");
  if (lock.state == MutexState::owner_died) words.emplace_back("its owner died and nobody has taken it since");
  if (lock.state == MutexState::inconsistent) words.emplace_back("taken after its owner died, not yet made consistent");
  if (lock.state == MutexState::not_recoverable) words.emplace_back("not recoverable: it can never be locked again");
  if (info.owner_state == OwnerState::gone && info.owner) {
    words.push_back("held by " + gone_owner(info));
  } else if (info.owner && lock.kind != LockKind::thread_end) {
    words.push_back(fmt::format("held by {}", thread_words(*info.owner)));
    if (info.taken)
      words.push_back(fmt::format("probably taken in {}", frame_phrase(info.taken->frame, phrase_columns)));
  }
  if (lock.recursion > 1) words.push_back(fmt::format("locked {} times", lock.recursion));
  if (lock.readers != 0)
    words.push_back(fmt::format("held by {} (who is not recorded)", counted(lock.readers, "reader")));
  if (lock.kind == LockKind::barrier) words.push_back(fmt::format("{} of {} have arrived", lock.arrived, lock.needed));
  if (lock.kind == LockKind::semaphore) words.push_back(fmt::format("value {}", lock.value));
  const bool is_free = lock.kind == LockKind::mutex || lock.kind == LockKind::rwlock;
  if (is_free && lock.state == MutexState::unlocked) words.emplace_back("not locked");
  return fmt::format("{}", fmt::join(words, ", "));
}

std::string wait_words(const LockReport& report, const LockWait& wait) {
  std::string words = lock_words(report.locks[wait.lock]);
  if (wait.mode != WaitMode::lock) words += fmt::format(" to {} it", name_of(wait.mode));
  if (wait.seconds_left) {
    words += fmt::format(" (gives up in {})", duration_in_words(*wait.seconds_left));
  } else if (wait.is_timed) {
    words += " (with a timeout)";
  }
  return words;
}

std::string doing_words(const LockReport& report, const LockStep& step) {
  if (step.waits_for)
    return fmt::format("{} {}", waiting_words(report, step), wait_words(report, report.waits[*step.waits_for]));
  if (step.doing.empty()) return step.where.frames.empty() ? "" : "is" + place_words(step);
  return printable(step.doing) + place_words(step);
}

std::string evidence_words(const TakenPlace& taken) {
  const std::string_view why = taken.evidence == TakenEvidence::code
                                   ? "names the lock there"
                                   : "calls what locks, and a pointer to the lock lies among its variables";
  return fmt::format("probably, because that function has not returned and {}", why);
}

std::string verdict_words(const LockReport& report, const LockVerdict& verdict) {
  const auto& steps = verdict.steps;
  const size_t waiting = steps.size() - 1 + verdict.behind.size();
  auto waited_for = [&](const LockStep& step) {
    return step.waits_for ? lock_words(lock_of(report, *step.waits_for)) : std::string("a lock");
  };
  switch (verdict.kind) {
    case LockVerdictKind::self_deadlock:
      return fmt::format("{} waits for {}, which it holds itself", thread_words(steps[0].thread), waited_for(steps[0]));
    case LockVerdictKind::owner_gone:
      return fmt::format("{} for {}, held by {}",
                         waiting == 0 ? thread_words(steps[0].thread) + " waits"
                                      : fmt::format("{} threads wait", with_thousands(waiting + 1)),
                         waited_for(steps[0]), gone_owner(lock_of(report, *steps[0].waits_for)));
    case LockVerdictKind::waiting_for_one:
      return fmt::format("{} for {}",
                         waiting == 1 ? thread_words(steps[0].thread) + " waits"
                                      : fmt::format("{} threads wait", with_thousands(waiting)),
                         holder_sentence(report, steps.back()));
    default:
      break;
  }
  std::string words;
  if (steps.size() == 1) {
    words =
        fmt::format("{} waits for {}, which it may hold itself", thread_words(steps[0].thread), waited_for(steps[0]));
  } else if (steps.size() == 2) {
    words = fmt::format("{} and {} wait for each other", thread_words(steps[0].thread), thread_words(steps[1].thread));
  } else {
    words = fmt::format("{} threads wait in a circle, each for what the next one holds", with_thousands(steps.size()));
  }
  if (verdict.seconds_left)
    words += fmt::format(", until one gives up in {}", duration_in_words(*verdict.seconds_left));
  if (verdict.kind == LockVerdictKind::will_time_out && !verdict.seconds_left) words += ", until one of them gives up";
  if (!verdict.why_possible.empty()) words += ": " + verdict.why_possible;
  return words;
}

std::string step_words(const LockReport& report, const LockVerdict& verdict, size_t at) {
  const LockStep& step = verdict.steps[at];
  const bool is_sure = verdict.kind != LockVerdictKind::possible_cycle;
  std::string words = thread_words(step.thread);
  const bool holds = step.holds && is_held(report.locks[*step.holds].lock.kind);
  if (holds) {
    // What is uncertain is who reads; a writer or the owner of a mutex is recorded.
    const bool may = !is_sure && report.locks[*step.holds].owner_state == OwnerState::not_recorded;
    words +=
        " " + (may ? "may hold " + lock_words(report.locks[*step.holds]) : holding_words(report.locks[*step.holds]));
  }
  if (!step.waits_for) {
    const std::string doing = doing_words(report, step);
    return doing.empty() ? words : fmt::format("{}{} {}", words, holds ? " and" : "", doing);
  }
  const LockWait& wait = report.waits[*step.waits_for];
  words += fmt::format("{} {} {}", holds ? " and" : "", waiting_words(report, step), wait_words(report, wait));
  const LockInfo& lock = report.locks[wait.lock];
  if (!is_held(lock.lock.kind)) return words;
  if (lock.owner_state == OwnerState::gone) return fmt::format("{}, held by {}", words, gone_owner(lock));
  const bool is_last_of_chain = verdict.kind == LockVerdictKind::waiting_for_one && at + 1 == verdict.steps.size();
  const LockThread& next = verdict.steps[(at + 1) % verdict.steps.size()].thread;
  if (next == step.thread || is_last_of_chain) return words;
  if (lock.lock.kind == LockKind::pipe || lock.lock.kind == LockKind::socket) return words;
  const bool is_run = lock.lock.kind == LockKind::static_guard || lock.lock.kind == LockKind::once;
  const bool may = lock.owner_state == OwnerState::not_recorded;
  return fmt::format("{}, {} {}", words, is_run ? "run by" : may ? "perhaps held by" : "held by", thread_words(next));
}

std::string calm_words(const LockReport& report) {
  // A core that is cut off.
  if (report.threads == 0) return "no verdict: nothing is known of its threads";
  if (report.waits.empty())
    return fmt::format("no deadlock: none of {} waits for a lock", counted(report.threads, "thread"));
  std::array<uint64_t, lock_kind_count> counts{};
  for (const LockWait& wait : report.waits) counts.at(static_cast<size_t>(report.locks[wait.lock].lock.kind))++;
  std::string words;
  for (size_t kind = 0; kind < lock_kind_count; kind++) {
    if (counts.at(kind) == 0) continue;
    words +=
        fmt::format("{}{} for {}", words.empty() ? "" : ", ", with_thousands(counts.at(kind)), kinds_awaited.at(kind));
  }
  return fmt::format("no deadlock: {} of {} wait, none for a lock that another thread keeps: {}",
                     with_thousands(report.waits.size()), counted(report.threads, "thread"), words);
}

}  // namespace culprit
