#include "analysis/handled_signal.h"

#include <signal.h>
#include <sys/ucontext.h>

#include <algorithm>
#include <cstring>

namespace culprit {
namespace {

// Behind its return address, which a handler has used up: arch/x86/include/asm/sigframe.h, struct rt_sigframe. What
// glibc calls ucontext_t is longer than the kernel's.
struct KernelFrame {
  uint64_t flags, link;
  stack_t stack;
  gregset_t registers;
  uint64_t vectors, reserved[8], mask;
  siginfo_t information;
};
static_assert(offsetof(KernelFrame, registers) == 40 && offsetof(KernelFrame, information) == 304);

Registers registers_of(const gregset_t& saved) {
  auto value = [&](int index) { return static_cast<uint64_t>(saved[index]); };
  Registers registers;
  registers.r8 = value(REG_R8), registers.r9 = value(REG_R9), registers.r10 = value(REG_R10);
  registers.r11 = value(REG_R11), registers.r12 = value(REG_R12), registers.r13 = value(REG_R13);
  registers.r14 = value(REG_R14), registers.r15 = value(REG_R15);
  registers.rdi = value(REG_RDI), registers.rsi = value(REG_RSI), registers.rbp = value(REG_RBP);
  registers.rbx = value(REG_RBX), registers.rdx = value(REG_RDX), registers.rax = value(REG_RAX);
  registers.rcx = value(REG_RCX), registers.rsp = value(REG_RSP), registers.rip = value(REG_RIP);
  registers.eflags = value(REG_EFL);
  return registers;
}

struct TrapRow {
  uint64_t trap;
  int32_t signal, code;
};
// arch/x86/kernel/traps.c. Page faults are told by what lies at their address.
constexpr uint64_t page_fault = 14;
constexpr TrapRow traps[] = {{0, SIGFPE, FPE_INTDIV},
                             {3, SIGTRAP, SI_KERNEL},
                             {6, SIGILL, ILL_ILLOPN},
                             {13, SIGSEGV, SI_KERNEL},
                             {page_fault, SIGSEGV, SEGV_MAPERR},
                             {17, SIGBUS, BUS_ADRALN}};

const TrapRow* trap_of(const gregset_t& saved) {
  auto row = std::ranges::find(traps, static_cast<uint64_t>(saved[REG_TRAPNO]), &TrapRow::trap);
  return row == std::end(traps) ? nullptr : row;
}

bool is_fault(int32_t signal) {
  return signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL || signal == SIGTRAP;
}

// Where the handler did not ask for them, the bytes are whatever lay on the stack.
bool is_believable(const KernelFrame& frame) {
  const siginfo_t& info = frame.information;
  if (info.si_signo <= 0 || info.si_signo >= NSIG || info.si_errno != 0) return false;
  bool is_sent = info.si_code == SI_USER || info.si_code == SI_TKILL || info.si_code == SI_QUEUE;
  constexpr pid_t largest_pid = 1 << 22;
  if (is_sent) return info.si_pid > 0 && info.si_pid <= largest_pid;
  if (!is_fault(info.si_signo)) return info.si_code == SI_KERNEL || info.si_code == SI_TIMER;
  const TrapRow* trap = trap_of(frame.registers);
  bool is_page = trap != nullptr && trap->trap == page_fault && (info.si_signo == SIGSEGV || info.si_signo == SIGBUS);
  if (is_page) return reinterpret_cast<uint64_t>(info.si_addr) == static_cast<uint64_t>(frame.registers[REG_CR2]);
  return trap != nullptr && trap->signal == info.si_signo;
}

HandledSignal handled_of(const KernelFrame& frame, size_t interrupted) {
  HandledSignal handled{.registers = registers_of(frame.registers), .frame = interrupted};
  const siginfo_t& info = frame.information;
  if (is_believable(frame)) {
    handled.signal = info.si_signo;
    handled.code = info.si_code;
    bool is_sent = info.si_code <= 0;
    if (is_sent) handled.sender_pid = static_cast<uint32_t>(info.si_pid), handled.sender_uid = info.si_uid;
    if (!is_sent) handled.address = reinterpret_cast<uint64_t>(info.si_addr);
  } else if (const TrapRow* trap = trap_of(frame.registers)) {
    handled.signal = trap->signal;
    handled.code = trap->code;
    handled.is_by_trap = true;
    constexpr greg_t write_bit = 2, fetch_bit = 16;
    if (trap->trap != page_fault) return handled;
    handled.address = static_cast<uint64_t>(frame.registers[REG_CR2]);
    handled.is_write = (frame.registers[REG_ERR] & write_bit) != 0;
    handled.is_fetch = (frame.registers[REG_ERR] & fetch_bit) != 0;
  }
  return handled;
}

}  // namespace

std::optional<HandledSignal> handled_signal(MemoryReader& stack, const WalkedStack& walked) {
  // The frame behind the kernel's return trampoline is the only one but the first whose registers are known.
  for (size_t i = 1; i < walked.frames.size(); ++i) {
    if (walked.frames[i].found_by != FoundBy::registers) continue;
    KernelFrame frame;
    if (!stack.read(walked.frames[i - 1].sp, std::as_writable_bytes(std::span(&frame, 1)))) return {};
    HandledSignal handled = handled_of(frame, i);
    return handled.registers.rip == walked.frames[i].address ? std::optional(handled) : std::nullopt;
  }
  return {};
}

}  // namespace culprit
