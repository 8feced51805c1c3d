// One life of a process id.
#pragma once

#include <cstdint>
#include <string>

#include "model/ids.h"

namespace culprit {

// By what means the handles of a process were seen; prefixes every claim about them.
enum class Sight : uint8_t {
  agent,          // libc's system call sites are patched: everything made through libc is seen
  wrappers,       // only libc's exported functions are wrapped: what libc opens internally is not seen
  handle_table,   // no agent (static, Go, set-uid, foreign libc …): the handle table was read from outside now and then
  bpf,            // the kernel told
  ptrace,         // every system call was stopped
  imported,       // another tool recorded it
};

struct Process {
  ProcessId parent = ProcessId::none;
  uint32_t pid = 0;
  std::string name;     // basename of the executable, newest
  std::string command;  // arguments joined by spaces, newest
  Sight sight = Sight::agent;
  std::string sight_reason;  // one sentence, empty for the normal case: why not a better sight, what it cannot see
};

}  // namespace culprit
