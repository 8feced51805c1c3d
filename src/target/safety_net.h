// What keeps a process alive that is left with breakpoints in it because culprit was killed: a few pages of ours inside
// the process. They hold
//
//  * for each breakpoint the instruction that is under it, to be executed there (moved_instruction.h): that is also how
//  a
//    thread gets past a breakpoint while culprit lives, without taking it out;
//  * a handler of SIGTRAP. While culprit lives it is never called, as the tracer sees its signals first. Once culprit
//  is
//    gone, a thread that meets a breakpoint goes on by the moved instruction, and puts the program's own byte back.
//
// x86-64. All threads of the process must stand still, and be traced by the calling thread, for whatever changes it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "target/moved_instruction.h"
#include "target/remote_call.h"

namespace culprit {

class SafetyNet {
 public:
  // Breakpoints in a process with a seccomp filter would be without a net. unsupported: it has one.
  static Result<void> check_filters(uint32_t pid);
  // By the help of the stopped thread `tid` (see call_in_thread). Errors: unsupported (no code there to call the system
  // with), limit, gone.
  static Result<SafetyNet> spread(uint32_t pid, uint32_t tid, VictimMemory& memory);

  // Where the instruction at `address`, whose true bytes are `code`, can be executed; known to the handler from now on.
  // Errors: unsupported, limit; the handler then knows it nonetheless if it can put the byte back.
  Result<uint64_t> add(uint64_t address, Bytes code, uint32_t tid);

  // If the address lies within moved code: what that is by the program's own reckoning.
  const MovedPlace* place_of(uint64_t address) const;

  // The program's own handler is put back, and the pages are taken out again if `is_unused`: no thread may return into
  // them.
  void take_out(uint32_t tid, bool is_unused);
  // The kernel forgets the handler when a thread that blocks SIGTRAP meets a breakpoint.
  void renew_handler(uint32_t tid);

 private:
  struct Area {
    uint64_t start = 0;
    size_t used = 0;
  };
  struct Moved {
    uint64_t slot = 0;
    size_t entry = 0;  // of the handler's table
    std::vector<std::byte> code;
    MovedInstruction instruction;
  };

  SafetyNet(uint32_t pid, VictimMemory& memory, const CallEntries& entries)
      : pid_(pid), memory_(&memory), entries_(entries) {}

  // The kernel's struct sigaction.
  struct Action {
    uint64_t handler = 0, flags = 0, restorer = 0, mask = 0;
  };

  Result<int64_t> call(uint32_t tid, uint64_t number, const std::array<uint64_t, 6>& arguments);
  Result<void> map_main(uint32_t tid);
  std::optional<Action> current_action(uint32_t tid);
  bool set_action(uint32_t tid, const Action& action);
  Action own_action() const;
  Result<void> install_handler(uint32_t tid);
  Result<uint64_t> free_slot(uint64_t address, bool must_be_near, uint32_t tid);
  Result<void> map_near(uint64_t address, uint32_t tid);
  Result<size_t> write_entry(std::optional<size_t> known, uint64_t address, uint64_t slot, std::byte original);
  uint64_t handler() const;
  uint64_t header() const;

  uint32_t pid_;
  VictimMemory* memory_;
  CallEntries entries_;
  uint64_t start_ = 0;
  uint64_t scratch_ = 0;  // for what calls read and write
  size_t entry_count_ = 0;
  std::vector<Area> areas_;          // of slots
  std::map<uint64_t, Moved> moved_;  // by the instruction's address
  std::map<uint64_t, uint64_t> by_slot_;
  Action original_action_;
};

}  // namespace culprit
