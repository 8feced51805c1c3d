// Asks a target everything that its interface has. For hostile ones: what it answers does not matter, that it does.
#pragma once

#include <array>

#include "target/target.h"

namespace culprit::testing {

inline void ask_everything(Target& target) {
  uint64_t start = 0;
  for (const TargetModule& module : target.modules()) {
    if (module.start < start || module.end < module.start) __builtin_trap();
    start = module.start;
    target.module_at(module.start);
  }
  start = 0;
  for (const TargetMapping& mapping : target.mappings()) {
    if (mapping.start < start || mapping.end <= mapping.start) __builtin_trap();
    start = mapping.start;
    std::array<std::byte, 64> some{};
    target.memory().read(mapping.start, some);
    target.memory().read(mapping.end - 8, some);
  }
  auto threads = target.threads(ThreadWish::registers);
  if (!threads) return;
  uint32_t tid = 0;
  for (const TargetThread& thread : *threads) {
    if (thread.tid < tid) __builtin_trap();
    tid = thread.tid;
    target.stack_memory(thread).word(thread.registers.rsp);
    target.module_at(thread.registers.rip);
  }
}

}  // namespace culprit::testing
