#include "capture/ptrace_requests.h"

#include <linux/audit.h>
#include <signal.h>
#include <sys/ptrace.h>

#include <cerrno>

#include "target/ptrace_threads.h"

namespace culprit::tracing {
namespace {

void* word(uint64_t value) { return reinterpret_cast<void*>(value); }

long request(__ptrace_request what, uint32_t tid, uint64_t address, uint64_t data) {
  return ptrace(what, static_cast<pid_t>(tid), word(address), word(data));
}

}  // namespace

int seize(uint32_t tid) {
  // Without TRACESYSGOOD a thread whose tracer dies while it stands in a system call would get a SIGTRAP.
  constexpr uint64_t options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                               PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT;
  return request(PTRACE_SEIZE, tid, 0, options) == 0 ? 0 : errno;
}

void interrupt(uint32_t tid) { request(PTRACE_INTERRUPT, tid, 0, 0); }

void go_on(uint32_t tid, int signal) { request(PTRACE_SYSCALL, tid, 0, static_cast<uint64_t>(signal)); }

void listen(uint32_t tid) { request(PTRACE_LISTEN, tid, 0, 0); }

void let_go(uint32_t tid, int signal) { request(PTRACE_DETACH, tid, 0, static_cast<uint64_t>(signal)); }

std::optional<user_regs_struct> registers(uint32_t tid) {
  user_regs_struct found{};
  if (request(PTRACE_GETREGS, tid, 0, reinterpret_cast<uint64_t>(&found)) != 0) return {};
  return found;
}

std::optional<siginfo_t> signal_info(uint32_t tid) {
  siginfo_t found{};
  if (request(PTRACE_GETSIGINFO, tid, 0, reinterpret_cast<uint64_t>(&found)) != 0) return {};
  return found;
}

bool is_32_bit(const user_regs_struct& registers) {
  constexpr uint64_t code_segment_of_32_bit = 0x23;
  return registers.cs == code_segment_of_32_bit;
}

uint64_t event_message(uint32_t tid) {
  unsigned long message = 0;
  request(PTRACE_GETEVENTMSG, tid, 0, reinterpret_cast<uint64_t>(&message));
  return message;
}

std::optional<CallStop> call_stop(uint32_t tid) {
  __ptrace_syscall_info info{};
  if (request(PTRACE_GET_SYSCALL_INFO, tid, sizeof info, reinterpret_cast<uint64_t>(&info)) <= 0) return {};
  CallStop stop;
  stop.is_64_bit = info.arch == AUDIT_ARCH_X86_64;
  if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
    stop.number = info.entry.nr;
    for (size_t i = 0; i < stop.arguments.size(); i++) stop.arguments[i] = info.entry.args[i];
    return stop;
  }
  if (info.op != PTRACE_SYSCALL_INFO_EXIT) return {};
  stop.at = CallStop::At::exit;
  stop.result = info.exit.rval;
  return stop;
}

void mend_interrupted_call(uint32_t tid) {
  auto found = registers(tid);
  if (!found || is_32_bit(*found) || !resume_interrupted_call(*found)) return;
  request(PTRACE_SETREGS, tid, 0, reinterpret_cast<uint64_t>(&*found));
}

}  // namespace culprit::tracing
