// Locks, waits and verdicts in words; text and JSON say the same sentences.
#pragma once

#include <string>

#include "analysis/lock_report.h"

namespace culprit {

std::string_view name_of(LockKind kind);         // "read-write lock"
std::string_view name_of(LockVerdictKind kind);  // "deadlock", "owner is gone"
std::string_view name_of(WaitMode mode);         // "lock", "read", "write"

// "\"worker\" (tid 3)", "\"worker\" (tid 3 of server, pid 2)"
std::string thread_words(const LockThread& thread);
// "mutex g_mutex", "recursive mutex at 0x7f…", "the end of thread \"w\" (tid 3)"
std::string lock_words(const LockInfo& lock);
// "robust, shared between processes; locked 2 times by \"w\" (tid 3)": state and owner of a lock.
std::string lock_state_words(const LockInfo& lock);
// What a thread waits for and how: "mutex g_mutex", "read-write lock g to write it"; with its timeout if it has one.
std::string wait_words(const LockReport& report, const LockWait& wait);
// What the last one of a chain does: "sleeps", "waits for the condition variable g"; empty: not known.
std::string doing_words(const LockReport& report, const LockStep& step);
// What speaks for the place where a lock was taken: "probably, because …"
std::string evidence_words(const TakenPlace& taken);
// The verdict in one sentence, without its name.
std::string verdict_words(const LockReport& report, const LockVerdict& verdict);
// One thread of it, in one sentence: what it holds, where and what it waits for.
std::string step_words(const LockReport& report, const LockVerdict& verdict, size_t step);
// "no deadlock: …" when there is none; "no verdict: …" when there is nothing to tell it by.
std::string calm_words(const LockReport& report);

}  // namespace culprit
