#include "capture/doctor.h"

#include <fmt/core.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "base/syscall.h"
#include "capture/bpf_program.h"
#include "target/elf_copy.h"
#include "capture/handle_calls.h"
#include "capture/patch_sites.h"
#include "capture/recorder.h"
#include "capture/session_memory.h"
#include "capture/snapshot.h"
#include "capture/tsc_clock.h"
#include "format/procfs.h"

namespace culprit {
namespace {

CheckResult good(std::string name, std::string finding) { return {std::move(name), true, std::move(finding), ""}; }
CheckResult bad(std::string name, std::string finding, std::string remedy) {
  return {std::move(name), false, std::move(finding), std::move(remedy)};
}

CheckResult check_library(const std::string& path) {
  auto elf = copy_elf(path, ElfParts::headers);
  if (elf) return good("agent library", fmt::format("{} is there", path));
  return bad("agent library", elf.error().what, "build or install culprit again: the library lies beside the program");
}

CheckResult check_memory(const std::string& agent_library) {
  auto memory = SessionMemory::create(agent_library);
  if (!memory)
    return bad("shared memory", memory.error().what,
               "raise the limits of address space and file size (ulimit -v, ulimit -f)");
  return good("shared memory", fmt::format("room for {} threads", memory->slot_count()));
}

CheckResult check_handle_table() {
  TraceTables tables;
  auto table = read_handle_table(static_cast<uint32_t>(getpid()), tables);
  if (!table) return bad("handle tables", table.error().what, "mount /proc");
  return good("handle tables", "/proc/PID/fd can be read");
}

CheckResult check_clock() {
  std::string why = why_clock_is_unreliable();
  if (why.empty()) return good("clock", "the time stamps of all CPUs can be compared");
  return bad("clock", why, "times of events on different CPUs may be in the wrong order; nothing else is affected");
}

CheckResult check_sites() {
  auto maps = read_whole_file("/proc/self/maps");
  for (const MapsEntry& entry : parse_maps(maps ? *maps : "")) {
    if (!entry.is_executable || !entry.path.ends_with("/libc.so.6")) continue;
    auto copy = copy_elf(entry.path, ElfParts::all_load);
    if (!copy) return bad("system call sites", copy.error().what, "");
    auto elf = parse_elf(copy->bytes());
    if (!elf) return bad("system call sites", elf.error().what, "");
    PatchSites sites = find_patch_sites(*elf, patched_calls());
    std::string finding = fmt::format("of libc's system calls that make or end handles, {} can be patched, {} cannot",
                                      sites.sites.size(), sites.unfit.size());
    if (sites.sites.empty())
      return bad("system call sites", finding,
                 "culprit run wraps libc's functions instead, and says what that cannot see");
    return good("system call sites", finding);
  }
  return bad("system call sites", "culprit does not run on glibc's libc.so.6", "");
}

class NoEvents : public EventSink {
 public:
  void on_handle(const HandleEvent&) override {}
  void on_process(const ProcessEvent&) override {}
  void on_thread(const ThreadEvent&) override {}
  void on_snapshot(const HandleSnapshot& snapshot) override {
    checked_by_agent |= snapshot.reason == SnapshotReason::exit;
  }
  void on_mark(const Mark&) override {}
  void on_loss(const Loss& loss) override {
    if (loss.kind == LossKind::process_not_followed) why = loss.detail;
  }
  bool checked_by_agent = false;
  std::string why;
};

CheckResult check_run(const std::string& agent_library) {
  constexpr const char* name = "run";
  TraceTables tables;
  NoEvents sink;
  auto outcome = record_run({{"/bin/true"}, agent_library}, tables, sink);
  if (!outcome) return bad(name, outcome.error().what, "");
  if (!outcome->started) return bad(name, outcome->not_started_why, "");
  if (!sink.checked_by_agent)
    return bad(name, sink.why.empty() ? "the agent did not start in /bin/true" : sink.why, "");
  return good(name, "/bin/true ran with the agent in it");
}

}  // namespace

std::vector<CheckResult> check_agent(const std::string& agent_library) {
  std::vector<CheckResult> results = {check_library(agent_library), check_memory(agent_library), check_handle_table(),
                                      check_clock(), check_sites()};
  bool can_run =
      std::all_of(results.begin(), results.begin() + 3, [](const CheckResult& result) { return result.works; });
  if (can_run) results.push_back(check_run(agent_library));
  return results;
}

std::vector<CheckResult> check_ptrace() {
  pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  if (child < 0) return {bad("ptrace", "no process could be started to try it", "")};
  bool works = ptrace(PTRACE_SEIZE, child, nullptr, nullptr) == 0;
  int error_number = errno;
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  auto scope = read_whole_file("/proc/sys/kernel/yama/ptrace_scope", 16);
  bool children_only = scope && !scope->empty() && scope->front() != '0';
  if (!works) {
    return {bad("ptrace", system_error("stop a process of the same user", error_number).what,
                "allow ptrace (container: --cap-add SYS_PTRACE or a seccomp profile that permits it)")};
  }
  if (children_only && geteuid() != 0) {
    return {bad("ptrace",
                "only one's own children may be stopped (kernel.yama.ptrace_scope is " + scope->substr(0, 1) + ")",
                "sysctl kernel.yama.ptrace_scope=0, or run culprit as root")};
  }
  return {good("ptrace", "processes of the same user can be stopped and read")};
}

std::vector<CheckResult> check_bpf() {
  constexpr const char* name = "bpf program";
  auto program = BpfProgram::load({}, {.ring_bytes = 64 << 10, .rows = 1 << 12, .pages = 1 << 10, .ranges = 1 << 12});
  if (!program) return {bad(name, program.error().what, "")};
  if (auto attached = (*program)->attach(); !attached) return {bad(name, attached.error().what, "")};
  return {
      good(name, "the kernel takes it: every way to make a handle is seen, of all processes, without touching any")};
}

}  // namespace culprit
