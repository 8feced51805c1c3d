// What each system call does to handles, as seen from outside at its entry and exit: the counterpart of the agent's
// hooks for whoever stops the caller.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/handle_event.h"
#include "model/memory_reader.h"

namespace culprit {

enum class CallKind : uint8_t {
  other,  // has nothing to do with handles
  made,   // the result is a handle
  made_socket,
  made_pair,
  duplicated,
  fcntl,
  signalfd,
  fanotify,
  read,  // of fanotify handles
  bpf,
  seccomp,
  getsockopt,
  ioctl,
  received,  // the result is a handle of another process
  message,
  messages,
  close,
  close_range,
  unshare,
  fork,
  exec,
  map,       // may bring code
  unmap,     // may take code away
  io_uring,  // may do anything
  trace,
};

struct TracedCall {
  CallKind kind = CallKind::other;
  int8_t path = -1;  // which argument names the new handle
};
// Of x86-64.
TracedCall traced_call(uint64_t number);

using CallArguments = std::array<uint64_t, 6>;

struct MadeHandle {
  int32_t value = -1;
  HandleAction action = HandleAction::open;
  int32_t other = -1;  // of duplicates

  bool operator==(const MadeHandle&) const = default;
};
// What a call that returned `result` (not an error) has made. fork: the pidfd.
std::vector<MadeHandle> made_by(uint64_t number, const CallArguments& arguments, int64_t result, MemoryReader& memory);

// As wire/agent_events.h defines it for OPEN.
uint64_t extra_of(uint64_t number, const CallArguments& arguments);

struct ClosedHandles {
  int32_t first = -1, last = -1;
};
// What a call ends that is about to begin; nothing: none.
std::optional<ClosedHandles> closed_by(uint64_t number, const CallArguments& arguments);
bool unshares_table(uint64_t number, const CallArguments& arguments);

struct ForkFlags {
  bool is_thread = false;
  bool shares_table = false;
  bool is_untraced = false;  // the child escapes its parent's tracer
};
ForkFlags fork_flags(uint64_t number, const CallArguments& arguments, MemoryReader& memory);

// Up to the terminating zero, at most `limit` bytes. `is_cut`: there is more. Nothing: it cannot be read.
struct TargetText {
  std::string text;
  bool is_cut = false;
};
std::optional<TargetText> read_text(MemoryReader& memory, uint64_t address, size_t limit);

}  // namespace culprit
