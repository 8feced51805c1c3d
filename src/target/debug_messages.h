// What the console's process and the engine's (debug_engine.h) say to each other. Both are the same program, so the
// structs go over the socket as they are.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "target/expression.h"
#include "target/target.h"

namespace culprit {

// Why the target stands still, or runs no more.
enum class DebugStopKind : uint32_t {
  none,
  broken_in,   // because it was asked to
  breakpoint,  // `breakpoint` was met
  stepped,     // a single step is done
  signal,      // one that is stopped at is about to be delivered
  executed,    // it executed another program: all breakpoints are gone
  exited,      // `status` of exit
  killed,      // died of `signal`
  lost,        // it is gone, and nobody knows how
};

struct DebugStop {
  DebugStopKind kind = DebugStopKind::none;
  uint32_t tid = 0;
  uint32_t breakpoint = 0;
  uint32_t is_unknown = 0;  // 1: the breakpoint's condition could not be worked out
  int32_t signal = 0;
  int32_t signal_code = 0;  // si_code
  uint32_t sender = 0;      // pid, of a signal that somebody sent
  int32_t status = 0;
  uint64_t fault_address = 0;  // of SIGSEGV and the like
};

struct BreakpointRequest {
  uint64_t address = 0;
  uint32_t tid = 0;          // only this thread; 0: all
  uint32_t is_one_shot = 0;  // 1: it goes when it has stopped something
  uint64_t passes = 1;       // stops the n-th time, and from then on
  uint32_t is_hidden = 0;    // 1: of a step: not among the hits of other breakpoints, and not told of
  uint32_t stops_if = 1;     // 1: where the condition holds; 0: where it does not
};

struct BreakpointState {
  uint32_t id = 0;
  uint32_t is_enabled = 0;
  uint64_t address = 0;
  uint64_t hits = 0;     // how often a thread came there
  uint64_t matches = 0;  // … and the condition said to stop
};

struct DebuggedThread {
  uint32_t tid = 0;
  uint32_t is_stopped = 0;  // 0: it cannot be stopped (it waits inside the kernel, for a vfork child or a disk)
  int32_t signal = 0;       // to be delivered when it goes on
  uint32_t reserved = 0;
  Registers registers;
};

enum class DebugAsk : uint32_t {
  go,              // answered when the target stops
  step,            // one instruction of `tid`, the others stand; answered when it is done
  break_in,        // not answered: the answer to go or step comes early
  set_breakpoint,  // answered with its id
  remove_breakpoint,
  enable_breakpoint,  // `value`: 1 or 0
  breakpoints,
  threads,  // those after `tid`, some at a time
  write_registers,
  set_signal,      // of `tid`: `value` is delivered when it goes on; 0: nothing
  stop_at_signal,  // `value`: 1 or 0, of signal `id`
  detach,
};

struct DebugRequest {
  DebugAsk ask = DebugAsk::go;
  uint32_t tid = 0;
  uint64_t id = 0;
  uint64_t value = 0;
  BreakpointRequest breakpoint;
  Registers registers;
  Expression condition;  // behind the rest; empty: it always holds
};

struct DebugReply {
  ErrorKind error_kind = ErrorKind::system;
  std::string error;  // empty: it is done
  DebugStop stop;
  uint64_t value = 0;
  std::vector<BreakpointState> breakpoints;
  std::vector<DebuggedThread> threads;
};

inline constexpr size_t most_breakpoints = 1000;
// Of a condition, which is worked off at each hit.
inline constexpr size_t most_condition_steps = 256;
inline constexpr size_t threads_per_reply = 128;

// Each is one message of a SOCK_SEQPACKET socket. False: nobody is at the other end.
bool send_request(int socket, const DebugRequest& request);
bool send_reply(int socket, const DebugReply& reply);
std::optional<DebugRequest> receive_request(int socket);
std::optional<DebugReply> receive_reply(int socket);

}  // namespace culprit
