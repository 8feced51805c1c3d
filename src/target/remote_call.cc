#include "target/remote_call.h"

#include <elf.h>
#include <fmt/core.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <vector>

#include "target/signal_frame.h"

namespace culprit {
namespace {

constexpr uint64_t red_zone = 128;
constexpr uint64_t every_signal = ~uint64_t{0};

template <size_t Size>
std::optional<uint64_t> find_code(Bytes code, const std::array<uint8_t, Size>& wanted) {
  auto bytes = std::as_bytes(std::span(wanted));
  auto found = std::ranges::search(code, bytes);
  if (found.empty()) return {};
  return static_cast<uint64_t>(found.begin() - code.begin());
}

struct SavedThread {
  user_regs_struct registers{};
  std::vector<std::byte> vectors;
  uint64_t signal_mask = 0;
};

std::optional<SavedThread> save_thread(uint32_t tid) {
  SavedThread saved;
  saved.vectors.resize(65536);
  iovec area{saved.vectors.data(), saved.vectors.size()};
  if (ptrace(PTRACE_GETREGS, tid, nullptr, &saved.registers) != 0 ||
      ptrace(PTRACE_GETREGSET, tid, NT_X86_XSTATE, &area) != 0 ||
      ptrace(PTRACE_GETSIGMASK, tid, sizeof saved.signal_mask, &saved.signal_mask) != 0)
    return {};
  saved.vectors.resize(area.iov_len);
  return saved;
}

bool set_mask(uint32_t tid, uint64_t mask) { return ptrace(PTRACE_SETSIGMASK, tid, sizeof mask, &mask) == 0; }
bool set_registers(uint32_t tid, const user_regs_struct& registers) {
  return ptrace(PTRACE_SETREGS, tid, nullptr, &registers) == 0;
}

// Until its next stop of that kind (an interrupt may come in between that was asked for before). False: it has ended.
bool run_until_stop(uint32_t tid, __ptrace_request how) {
  constexpr int system_call = SIGTRAP | 0x80, event_stop = 128;
  for (;;) {
    if (ptrace(how, tid, nullptr, nullptr) != 0) return false;
    int status = 0;
    pid_t changed = -1;
    do changed = waitpid(static_cast<pid_t>(tid), &status, __WALL);
    while (changed < 0 && errno == EINTR);
    if (changed != static_cast<pid_t>(tid) || !WIFSTOPPED(status)) return false;
    bool is_wanted = how == PTRACE_SYSCALL ? WSTOPSIG(status) == system_call : status >> 16 == event_stop;
    if (is_wanted) return true;
  }
}

user_regs_struct call_registers(const SavedThread& saved, uint64_t stack, const CallEntries& entries, uint64_t number,
                                const std::array<uint64_t, 6>& arguments) {
  user_regs_struct called = saved.registers;
  called.rip = entries.syscall_return;
  called.rsp = stack;
  called.rax = number;
  called.rdi = arguments[0], called.rsi = arguments[1], called.rdx = arguments[2];
  called.r10 = arguments[3], called.r8 = arguments[4], called.r9 = arguments[5];
  called.orig_rax = ~0ULL;  // no system call is interrupted
  return called;
}

// The call itself; its result. The thread stands behind it, before its way back.
std::optional<int64_t> make_call(uint32_t tid, const user_regs_struct& called) {
  user_regs_struct after{};
  bool is_made = set_mask(tid, every_signal) && set_registers(tid, called) && run_until_stop(tid, PTRACE_SYSCALL) &&
                 run_until_stop(tid, PTRACE_SYSCALL) && ptrace(PTRACE_GETREGS, tid, nullptr, &after) == 0;
  if (!is_made) return {};
  return static_cast<int64_t>(after.rax);
}

}  // namespace

std::optional<CallEntries> find_call_entries(std::span<const MapsEntry> maps, MemoryReader& memory) {
  constexpr std::array<uint8_t, 3> syscall_return{0x0f, 0x05, 0xc3};
  constexpr std::array<uint8_t, 9> long_sigreturn{0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
  constexpr std::array<uint8_t, 7> short_sigreturn{0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05};
  constexpr uint64_t most_bytes = 64 << 20;
  CallEntries entries;
  for (const MapsEntry& entry : maps) {
    if (!entry.is_executable || !entry.is_readable || entry.path == "[vsyscall]") continue;
    std::vector<std::byte> code(std::min(entry.end - entry.start, most_bytes));
    if (!memory.read(entry.start, code)) continue;
    if (entries.syscall_return == 0) {
      if (auto at = find_code(code, syscall_return)) entries.syscall_return = entry.start + *at;
    }
    if (entries.sigreturn == 0) {
      auto at = find_code(code, long_sigreturn);
      if (!at) at = find_code(code, short_sigreturn);
      if (at) entries.sigreturn = entry.start + *at;
    }
    if (entries.syscall_return != 0 && entries.sigreturn != 0) return entries;
  }
  return {};
}

Result<int64_t> call_in_thread(uint32_t tid, VictimMemory& memory, const CallEntries& entries, uint64_t number,
                               const std::array<uint64_t, 6>& arguments) {
  auto gone = [&] { return fail(ErrorKind::gone, fmt::format("thread {} ended meanwhile", tid)); };
  auto saved = save_thread(tid);
  if (!saved) return gone();
  uint64_t stack_top = saved->registers.rsp - red_zone;
  SignalFrame frame =
      make_signal_frame(stack_top, entries.sigreturn, saved->registers, saved->vectors, saved->signal_mask);
  std::vector<std::byte> overwritten(frame.bytes.size());
  if (frame.bytes.empty() || !memory.read(frame.address, overwritten) || !memory.write(frame.address, frame.bytes))
    return fail(ErrorKind::limit, fmt::format("the stack of thread {} has no room", tid));
  auto result = make_call(tid, call_registers(*saved, frame.address, entries, number, arguments));
  // A stop like the one it was in: only from there the kernel makes an interrupted system call again.
  bool is_back = result && ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr) == 0 && run_until_stop(tid, PTRACE_CONT);
  bool is_restored = is_back && set_registers(tid, saved->registers) && set_mask(tid, saved->signal_mask);
  if (!is_restored) return gone();
  memory.write(frame.address, overwritten);
  return *result;
}

}  // namespace culprit
