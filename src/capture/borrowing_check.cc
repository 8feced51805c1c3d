#include "capture/borrowing_check.h"

#include <linux/rseq.h>

#include "unwind/unwinder.h"

namespace culprit {
namespace {

constexpr unsigned long long user_code_segment = 0x33;  // of 64-bit code

// In the middle of a restartable sequence (a counter or free list per CPU): whoever goes on with it after a detour
// would write to the wrong CPU's.
bool is_in_restartable_sequence(const TracedThread& thread, VictimMemory& memory) {
  constexpr auto get_configuration = static_cast<__ptrace_request>(0x420f);  // PTRACE_GET_RSEQ_CONFIGURATION
  struct {
    uint64_t pointer;
    uint32_t size, signature, flags, padding;
  } configuration{};
  if (ptrace(get_configuration, thread.tid(), sizeof configuration, &configuration) <= 0) return false;
  uint64_t current = 0;
  uint64_t place = configuration.pointer + offsetof(struct rseq, rseq_cs);
  return configuration.pointer != 0 && memory.read_value(place, current) && current != 0;
}

std::string why_stack_forbids(const WalkedStack& stack, const VictimCode& code, bool waits) {
  bool has_own_code = false;
  for (size_t i = 0; i < stack.frames.size(); i++) {
    const WalkedFrame& frame = stack.frames[i];
    bool is_exact = frame.found_by == FoundBy::registers;
    if (i > 0 && is_exact) return "it is in a signal handler";
    uint64_t pc = is_exact ? frame.address : frame.address - 1;
    if (code.is_delicate(pc, waits))
      return "it is inside the loader or the allocator, or makes or ends a thread or process";
    has_own_code |= code.is_programs_own(pc);
  }
  if (stack.is_truncated) return "its stack cannot be followed to the end";
  return has_own_code ? "" : "it is just beginning or ending";
}

}  // namespace

bool is_in_system_call(const user_regs_struct& registers) { return static_cast<long long>(registers.orig_rax) >= 0; }

std::string why_not_borrowable(const TracedThread& thread, VictimMemory& memory, const VictimCode& code) {
  user_regs_struct registers{};
  bool is_at_rest = thread.state() == ThreadState::stopped && thread.reason().is_interrupt;
  if (!is_at_rest || !thread.read_registers(registers)) return "it is about to get a signal";
  if (registers.cs != user_code_segment) return "it runs 32-bit code";
  bool waits = is_in_system_call(registers);
  if (!waits && is_in_restartable_sequence(thread, memory)) return "it is in a restartable sequence";
  auto lookup = [&](uint64_t pc) { return code.unwind_code_at(pc); };
  WalkedStack stack =
      walk_stack({registers.rip, registers.rsp, registers.rbp}, memory, lookup, {.is_in_system_call = waits});
  return why_stack_forbids(stack, code, waits);
}

}  // namespace culprit
