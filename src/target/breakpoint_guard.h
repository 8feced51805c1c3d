// The console's process puts the bytes under all breakpoints back at once should the engine be killed, which could not
// do so itself. (What threads do that meet one before, or stand at one: safety_net.h.)
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <thread>

#include "base/fd.h"
#include "target/victim_memory.h"

namespace culprit {

class BreakpointGuard {
 public:
  // Waits for the end of the process `engine`, in a thread of its own.
  static Result<std::unique_ptr<BreakpointGuard>> stand(uint32_t engine, VictimMemory memory);
  ~BreakpointGuard();
  BreakpointGuard(const BreakpointGuard&) = delete;
  BreakpointGuard& operator=(const BreakpointGuard&) = delete;

  // Before a breakpoint is set there. False: there is nothing to read.
  bool note(uint64_t address);
  // The target is another program now.
  void forget_all(VictimMemory memory);
  // The engine was killed; the bytes have been put back.
  bool has_acted();

 private:
  BreakpointGuard(Fd engine, Fd end, VictimMemory memory)
      : engine_(std::move(engine)), end_(std::move(end)), memory_(std::move(memory)) {}

  void watch();
  void put_back();

  Fd engine_, end_;
  std::mutex mutex_;
  VictimMemory memory_;
  std::map<uint64_t, std::byte> originals_;
  bool has_acted_ = false;
  std::thread thread_;
};

}  // namespace culprit
