#include "target/thread_look.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <array>

#include "base/fd.h"

namespace culprit {
namespace {

constexpr size_t file_limit = 16384;

// Each of these files is one record (fs/proc: ONE), which one read gives whole: threads may be thousands.
std::optional<std::string> read_of_thread(uint32_t pid, uint32_t tid, std::string_view file) {
  const Fd opened(open(fmt::format("/proc/{}/task/{}/{}", pid, tid, file).c_str(), O_RDONLY | O_CLOEXEC));
  if (opened.get() < 0) return {};
  std::array<char, file_limit> text;
  const ssize_t size = read(opened.get(), text.data(), text.size());
  return size < 0 ? std::nullopt : std::optional(std::string(text.data(), static_cast<size_t>(size)));
}

std::optional<uint64_t> context_switches_of(uint32_t pid, uint32_t tid) {
  auto text = read_of_thread(pid, tid, "status");
  auto status = text ? parse_status(*text) : std::nullopt;
  return status ? std::optional(status->context_switches) : std::nullopt;
}

}  // namespace

std::optional<ThreadCall> call_of(uint32_t pid, uint32_t tid) {
  auto text = read_of_thread(pid, tid, "syscall");
  return text ? parse_thread_call(*text) : std::nullopt;
}

// A thread that comes to stand is counted before its place can be read (fs/proc waits until it is off the CPU). So the
// count is taken first here, and last there: whoever ran in between was counted.
std::optional<Standing> standing_of(uint32_t pid, uint32_t tid) {
  auto switches = context_switches_of(pid, tid);
  auto call = switches ? call_of(pid, tid) : std::nullopt;
  return call ? std::optional(Standing{*call, *switches}) : std::nullopt;
}

bool still_stands(uint32_t pid, uint32_t tid, const Standing& before) {
  return call_of(pid, tid) == before.call && context_switches_of(pid, tid) == before.context_switches;
}

std::optional<TargetThread> look_at_thread(uint32_t pid, uint32_t tid) {
  auto text = read_of_thread(pid, tid, "stat");
  auto stat = text ? parse_stat(*text) : std::nullopt;
  if (!stat) return {};
  TargetThread thread;
  thread.tid = tid;
  thread.name = std::move(stat->name);
  thread.state = stat->state;
  return thread;
}

void set_standing(TargetThread& thread, const ThreadCall& call) {
  if (call.sp == 0) {  // io_uring's workers are threads of the process, but have never been outside the kernel
    thread.unknown_because = "a thread of the kernel's own: it has no stack in the program";
    return;
  }
  thread.known = RegistersKnown::stack_only;
  Registers& registers = thread.registers;
  registers = {};
  registers.rip = call.pc;
  registers.rsp = call.sp;
  registers.orig_rax = static_cast<uint64_t>(call.number);
  if (call.number < 0) return;
  thread.blocked_in = BlockingCall{static_cast<uint64_t>(call.number), call.arguments};
  registers.rdi = call.arguments[0];
  registers.rsi = call.arguments[1];
  registers.rdx = call.arguments[2];
  registers.r10 = call.arguments[3];
  registers.r8 = call.arguments[4];
  registers.r9 = call.arguments[5];
}

}  // namespace culprit
