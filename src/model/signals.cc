#include "model/signals.h"

#include <fmt/core.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <iterator>

namespace culprit {
namespace {

struct CodeRow {
  int32_t signal;  // 0: of any
  int32_t code;
  SignalCode words;
};
// include/uapi/asm-generic/siginfo.h. Some of the newest have no name in libc's headers.
constexpr CodeRow codes[] = {
    {SIGSEGV, 1, {"SEGV_MAPERR", "nothing is mapped at the address"}},
    {SIGSEGV, 2, {"SEGV_ACCERR", "the mapping at the address does not allow it"}},
    {SIGSEGV, 3, {"SEGV_BNDERR", "a bounds check failed"}},
    {SIGSEGV, 4, {"SEGV_PKUERR", "a protection key forbids it"}},
    {SIGSEGV, 10, {"SEGV_CPERR", "the shadow stack does not have this return address"}},
    {SIGSEGV, SI_KERNEL, {"SI_KERNEL", "a general protection fault: the processor tells no address"}},
    {SIGBUS, 1, {"BUS_ADRALN", "the address is not aligned"}},
    {SIGBUS, 2, {"BUS_ADRERR", "there is nothing behind the address"}},
    {SIGBUS, 3, {"BUS_OBJERR", "the hardware reported an error"}},
    {SIGBUS, 4, {"BUS_MCEERR_AR", "the memory itself is broken"}},
    {SIGBUS, 5, {"BUS_MCEERR_AO", "memory itself is broken"}},
    {SIGILL, 1, {"ILL_ILLOPC", "no such instruction"}},
    {SIGILL, 2, {"ILL_ILLOPN", "no such instruction, or one that is meant to fail"}},
    {SIGILL, 3, {"ILL_ILLADR", "no such addressing mode"}},
    {SIGILL, 4, {"ILL_ILLTRP", "no such trap"}},
    {SIGILL, 5, {"ILL_PRVOPC", "an instruction for the kernel"}},
    {SIGFPE, 1, {"FPE_INTDIV", "an integer division that has no result"}},
    {SIGFPE, 2, {"FPE_INTOVF", "an integer overflow"}},
    {SIGFPE, 3, {"FPE_FLTDIV", "a floating-point division by zero"}},
    {SIGFPE, 4, {"FPE_FLTOVF", "a floating-point overflow"}},
    {SIGFPE, 5, {"FPE_FLTUND", "a floating-point underflow"}},
    {SIGFPE, 6, {"FPE_FLTRES", "an inexact floating-point result"}},
    {SIGFPE, 7, {"FPE_FLTINV", "an invalid floating-point operation"}},
    {SIGTRAP, 1, {"TRAP_BRKPT", "a breakpoint"}},
    {SIGTRAP, 2, {"TRAP_TRACE", "a single step"}},
    {SIGTRAP, SI_KERNEL, {"SI_KERNEL", "a breakpoint instruction"}},
    {SIGSYS, 1, {"SYS_SECCOMP", "a seccomp filter forbids it"}},
    {0, SI_USER, {"SI_USER", "sent by kill()"}},
    {0, SI_TKILL, {"SI_TKILL", "sent to this thread, as raise() and abort() do"}},
    {0, SI_QUEUE, {"SI_QUEUE", "sent by sigqueue()"}},
    {0, SI_TIMER, {"SI_TIMER", "a timer ran out"}},
    {0, SI_MESGQ, {"SI_MESGQ", "a message queue got a message"}},
    {0, SI_ASYNCIO, {"SI_ASYNCIO", "asynchronous I/O is done"}},
    {0, SI_KERNEL, {"SI_KERNEL", "sent by the kernel"}},
};

struct CallRow {
  uint64_t number;
  std::string_view name;
};
constexpr CallRow calls[] = {
#include "model/system_calls.inc"
};

}  // namespace

std::string signal_name(int32_t signal) {
  const char* known = ::sigabbrev_np(signal);
  return known == nullptr ? fmt::format("signal {}", signal) : fmt::format("SIG{}", known);
}

bool makes_core(int32_t signal) {
  constexpr int32_t signals[] = {SIGQUIT, SIGILL,  SIGTRAP, SIGABRT, SIGBUS,
                                 SIGFPE,  SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS};  // signal(7)
  return std::ranges::count(signals, signal) != 0;
}

SignalCode signal_code(int32_t signal, int32_t code) {
  for (const CodeRow& row : codes)
    if ((row.signal == signal || row.signal == 0) && row.code == code) return row.words;
  return {};
}

std::string system_call_name(uint64_t number) {
  const CallRow* row = std::ranges::lower_bound(calls, number, {}, &CallRow::number);
  if (row == std::end(calls) || row->number != number) return fmt::format("system call {}", number);
  return std::string(row->name);
}

}  // namespace culprit
