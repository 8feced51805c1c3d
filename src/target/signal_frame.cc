#include "target/signal_frame.h"

#include <signal.h>
#include <ucontext.h>

#include <cstddef>

namespace culprit {
namespace {

// arch/x86/include/uapi/asm/sigcontext.h and ucontext.h
constexpr uint32_t xstate_magic = 0x46505853, xstate_end_magic = 0x46505845;
constexpr size_t software_bytes_at = 464, smallest_xstate = 512 + 64;
constexpr uint64_t has_xstate = 1, has_stack_segment = 2, strict_stack_segment = 4;

struct KernelFrame {
  uint64_t return_address;
  uint64_t flags;
  uint64_t link;
  stack_t stack;
  gregset_t registers;
  uint64_t vectors;
  uint64_t reserved[8];
  uint64_t signal_mask;
  siginfo_t information;
};
static_assert(offsetof(KernelFrame, registers) == 8 + 40 && offsetof(KernelFrame, signal_mask) == 8 + 296);

struct SoftwareBytes {
  uint32_t magic;
  uint32_t extended_size;
  uint64_t features;
  uint32_t xstate_size;
};

bool is_interrupted_call(const user_regs_struct& registers) {
  constexpr long long first = -516, last = -512;  // ERESTART_RESTARTBLOCK … ERESTARTSYS
  auto result = static_cast<long long>(registers.rax);
  return static_cast<long long>(registers.orig_rax) >= 0 && result >= first && result <= last;
}

void fill_registers(gregset_t& to, const user_regs_struct& from) {
  auto set = [&](int index, unsigned long long value) { to[index] = static_cast<greg_t>(value); };
  set(REG_R8, from.r8), set(REG_R9, from.r9), set(REG_R10, from.r10), set(REG_R11, from.r11);
  set(REG_R12, from.r12), set(REG_R13, from.r13), set(REG_R14, from.r14), set(REG_R15, from.r15);
  set(REG_RDI, from.rdi), set(REG_RSI, from.rsi), set(REG_RBP, from.rbp), set(REG_RBX, from.rbx);
  set(REG_RDX, from.rdx), set(REG_RCX, from.rcx), set(REG_RSP, from.rsp), set(REG_EFL, from.eflags);
  set(REG_CSGSFS, from.cs | from.ss << 48);
  // rt_sigreturn restarts nothing: the thread makes the call again by itself.
  constexpr unsigned long long syscall_size = 2;
  bool again = is_interrupted_call(from);
  set(REG_RAX, again ? from.orig_rax : from.rax);
  set(REG_RIP, again ? from.rip - syscall_size : from.rip);
}

// PTRACE_GETREGSET leaves the kernel's mask of features where a frame's own description goes.
std::vector<std::byte> framed_vectors(Bytes vectors) {
  if (vectors.empty()) return {};
  std::vector<std::byte> framed(vectors.begin(), vectors.end());
  SoftwareBytes description{xstate_magic, 0, 0, static_cast<uint32_t>(vectors.size())};
  description.extended_size = description.xstate_size + static_cast<uint32_t>(sizeof xstate_end_magic);
  std::memcpy(&description.features, framed.data() + software_bytes_at, sizeof description.features);
  std::memcpy(framed.data() + software_bytes_at, &description, sizeof description);
  framed.resize(framed.size() + sizeof xstate_end_magic);
  std::memcpy(framed.data() + vectors.size(), &xstate_end_magic, sizeof xstate_end_magic);
  return framed;
}

}  // namespace

SignalFrame make_signal_frame(uint64_t stack_top, uint64_t restorer, const user_regs_struct& registers, Bytes vectors,
                              uint64_t signal_mask) {
  if (!vectors.empty() && vectors.size() < smallest_xstate) return {};
  std::vector<std::byte> saved = framed_vectors(vectors);
  uint64_t vectors_at = (stack_top - saved.size()) & ~uint64_t{63};
  KernelFrame frame{};
  frame.return_address = restorer;
  frame.flags = (saved.empty() ? 0 : has_xstate) | has_stack_segment | strict_stack_segment;
  // Not a valid one: the kernel then leaves the thread's alternate stack as it is, which nobody can ask for.
  frame.stack.ss_flags = 0xff;
  fill_registers(frame.registers, registers);
  frame.vectors = saved.empty() ? 0 : vectors_at;
  frame.signal_mask = signal_mask;

  // As at a function's entry: 16-byte aligned but for the return address.
  SignalFrame result;
  result.address = ((vectors_at - sizeof frame) & ~uint64_t{15}) - 8;
  result.bytes.resize(vectors_at - result.address);
  std::memcpy(result.bytes.data(), &frame, sizeof frame);
  result.bytes.insert(result.bytes.end(), saved.begin(), saved.end());
  return result;
}

}  // namespace culprit
