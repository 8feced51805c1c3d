#include "capture/victim_check.h"

#include <fmt/core.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "base/syscall.h"
#include "base/text.h"
#include "capture/program_examination.h"
#include "format/procfs.h"
#include "target/ptrace_threads.h"
#include "target/victim_memory.h"
#include "wire/agent_session.h"

namespace culprit {
namespace {

tl::unexpected<Error> unsupported(uint32_t pid, const std::string& why) {
  return fail(ErrorKind::unsupported, fmt::format("process {} {}", pid, why));
}

Result<void> check_program(uint32_t pid) {
  ProgramExamination program = examine_program(fmt::format("/proc/{}/exe", pid));
  switch (program.kind) {
    case ProgramKind::static_program:
    case ProgramKind::go_program:
    case ProgramKind::other_word_size:
    case ProgramKind::foreign_loader:
    case ProgramKind::other_machine:
      return unsupported(pid, fmt::format("runs {}: the agent can only see through glibc", program.what));
    default:
      return {};
  }
}

Result<void> check_status(uint32_t pid, const std::string& text) {
  auto status = parse_status(text);
  if (!status) return fail(ErrorKind::gone, fmt::format("process {} has ended", pid));
  if (status->tracer != 0) return tl::unexpected<Error>(why_not_traceable(pid, EPERM));
  if (status->seccomp_mode != 0) {
    return unsupported(
        pid,
        "is confined by seccomp: a system call that its filter does not expect could end it, so the agent "
        "is not put into it");
  }
  if (status->namespaced_pids.size() > 1 && status->namespaced_pids.back() != pid) {
    return unsupported(pid,
                       fmt::format("has another number, {}, where it runs (a container), and the agent would go by "
                                   "that: use --via bpf",
                                   status->namespaced_pids.back()));
  }
  if (text.find("x86_Thread_features:\tshstk") != std::string::npos)
    return unsupported(pid, "has a shadow stack, on which no function can be called from outside");
  // Who may read its handle table when it does not want to be looked at is root.
  struct stat info {};
  bool hides = stat(fmt::format("/proc/{}/fd", pid).c_str(), &info) == 0 && info.st_uid != status->effective_uid;
  if (hides)
    return fail(ErrorKind::no_access,
                fmt::format("process {} does not let itself be looked at (PR_SET_DUMPABLE 0), perhaps because it holds "
                            "secrets",
                            pid));
  return {};
}

bool shares_memory_with_a_child(uint32_t pid) {
  for (uint32_t tid : threads_of(pid)) {
    auto text = read_whole_file(fmt::format("/proc/{}/task/{}/children", pid, tid), 65536);
    if (!text) continue;
    const char* at = text->data();
    const char* end = at + text->size();
    for (uint32_t child = 0; at < end; at++) {
      auto [next, error] = std::from_chars(at, end, child);
      if (error == std::errc() && syscall(SYS_kcmp, pid, child, KCMP_VM, 0, 0) == 0) return true;
      at = std::max(next, at);
    }
  }
  return false;
}

// A child made by clone(CLONE_VM) runs on the same memory, and would have to be stopped, too. One made by vfork does so
// for a moment only.
Result<void> check_memory_is_its_own(uint32_t pid) {
  constexpr int looks = 50;
  for (int look = 0; look < looks; look++) {
    if (!shares_memory_with_a_child(pid)) return {};
    timespec pause{0, 20'000'000};
    nanosleep(&pause, nullptr);
  }
  return unsupported(pid, "shares its memory with another process");
}

Result<void> check_library_is_visible(uint32_t pid, const AgentFile& agent) {
  struct stat info {};
  bool is_same = stat(fmt::format("/proc/{}/root{}", pid, agent.path).c_str(), &info) == 0 &&
                 info.st_ino == agent.inode && info.st_dev == agent.device;
  if (is_same) return {};
  return unsupported(pid,
                     fmt::format("sees other files than culprit (a container?): {} is not there for it; bind-mount "
                                 "culprit's folder there, or use --via bpf",
                                 printable(agent.path)));
}

}  // namespace

Result<void> check_victim(uint32_t pid, const AgentFile& agent) {
  auto status = read_whole_file(fmt::format("/proc/{}/status", pid), 65536);
  if (!status) return fail(ErrorKind::gone, fmt::format("there is no process {}", pid));
  if (pid == static_cast<uint32_t>(getpid())) return unsupported(pid, "is culprit itself");
  if (has_ended(pid)) return fail(ErrorKind::gone, fmt::format("process {} has ended already (a zombie)", pid));
  CULPRIT_TRY(check_status(pid, *status));
  if (auto memory = VictimMemory::open(pid); !memory) {
    bool is_refused = memory.error().kind == ErrorKind::no_access;
    return tl::unexpected<Error>(is_refused ? why_not_traceable(pid, EPERM) : memory.error());
  }
  CULPRIT_TRY(check_program(pid));
  CULPRIT_TRY(check_memory_is_its_own(pid));
  return check_library_is_visible(pid, agent);
}

// It exits: of such a process memory goes first, then files, while its state is still that of a running one.
bool is_on_its_way_out(uint32_t pid) {
  auto mappings = read_whole_file(fmt::format("/proc/{}/maps", living_thread(pid)), 1);
  return has_ended(pid) || (mappings ? mappings->empty() : mappings.error().kind == ErrorKind::gone);
}

uint32_t living_collector(uint32_t pid, const AgentPresence& agent) {
  culprit_session header{};
  if (agent.session.empty()) return 0;
  auto memory = VictimMemory::open(pid);
  auto bytes = std::as_writable_bytes(std::span(&header, 1)).first(offsetof(culprit_session, agent_path));
  bool is_session = memory && memory->read(agent.session.front().start, bytes) && header.magic == CULPRIT_SESSION_MAGIC;
  if (!is_session || header.collector_pid == static_cast<uint32_t>(getpid())) return 0;
  bool is_anothers = kill(static_cast<pid_t>(header.collector_pid), 0) != 0 && errno == EPERM;
  if (is_anothers) return header.collector_pid;  // whose mappings we may not see
  for (uint32_t holder : processes_of_session(agent.session_inode))
    if (holder == header.collector_pid) return holder;
  return 0;
}

}  // namespace culprit
