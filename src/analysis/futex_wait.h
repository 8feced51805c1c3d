// What kind of lock a thread waits for that the kernel keeps waiting by futex: told by how libc calls futex for each
// kind, by the bytes around the word, and, where these are not enough, by the function that waits.
#pragma once

#include <functional>
#include <optional>

#include "analysis/lock_report.h"
#include "model/memory_reader.h"
#include "target/target.h"

namespace culprit {

struct FutexCall {
  uint64_t address = 0;
  uint32_t operation = 0;  // FUTEX_WAIT …, without flags
  uint32_t value = 0;      // that the word had
  bool is_private = false;
  bool is_realtime = false;  // clock of an absolute timeout
  uint64_t timeout = 0;      // address of a timespec; 0: none
  bool is_absolute = false;  // that time
};

// Nothing: it is another call, or wakes others.
std::optional<FutexCall> futex_call_of(const BlockingCall& call);

struct TypedWait {
  LockState lock;
  WaitMode mode = WaitMode::lock;
  bool is_refused = false;  // the kernel said that it would be a deadlock, and libc waits for nothing, forever
};

// Whether the process has a thread of that id, as it sees ids itself.
using IsThread = std::function<bool(uint32_t tid)>;

// `known`: the kind, if the function that waits told it; futex: unknown. What can be told by no layout is `futex`.
TypedWait type_futex_wait(const FutexCall& call, MemoryReader& memory, const IsThread& is_thread,
                          LockKind known = LockKind::futex);

// The lock of a kind at an address, as its bytes say; nothing: these cannot be one, or are not there.
std::optional<LockState> read_lock_state(LockKind kind, uint64_t address, MemoryReader& memory,
                                         const IsThread& is_thread);
// Without knowing the kind: the first that it can be and that is in use.
std::optional<LockState> guess_lock_state(uint64_t address, MemoryReader& memory, const IsThread& is_thread);

}  // namespace culprit
