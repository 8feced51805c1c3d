#include "shell/doctor.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>

#include "base/syscall.h"
#include "base/text.h"
#include "capture/doctor.h"
#include "shell/agent_location.h"
#include "view/machine_report.h"

namespace culprit {

namespace {

std::vector<MachineCheck> from_capture(std::vector<CheckResult> results) {
  std::vector<MachineCheck> checks;
  for (CheckResult& result : results)
    checks.push_back({std::move(result.name), result.works, std::move(result.finding), std::move(result.remedy)});
  return checks;
}

std::vector<MachineCheck> agent_checks() {
  auto library = find_agent_library();
  if (!library)
    return {{"agent library", false, library.error().what, "install culprit as a whole, or build it again"}};
  return from_capture(check_agent(*library));
}

std::vector<MachineCheck> ptrace_checks() { return from_capture(check_ptrace()); }

// The hexadecimal set of effective capabilities in /proc/self/status.
uint64_t effective_capabilities() {
  auto status = read_whole_file("/proc/self/status", size_t{1} << 16);
  if (!status) return 0;
  constexpr std::string_view key = "CapEff:\t";
  size_t at = status->find(key);
  uint64_t capabilities = 0;
  if (at != status->npos)
    std::from_chars(status->data() + at + key.size(), status->data() + status->size(), capabilities, 16);
  return capabilities;
}

std::vector<MachineCheck> bpf_checks() {
  constexpr unsigned cap_sys_admin = 21, cap_perfmon = 38, cap_bpf = 39;  // linux/capability.h
  uint64_t capabilities = effective_capabilities();
  auto has = [&](unsigned capability) { return (capabilities >> capability & 1) != 0; };
  bool permitted = has(cap_sys_admin) || (has(cap_bpf) && has(cap_perfmon));
  bool types = ::access("/sys/kernel/btf/vmlinux", R_OK) == 0;
  std::vector<MachineCheck> checks = {
      {"kernel types", types,
       types ? "/sys/kernel/btf/vmlinux is readable" : "this kernel does not show its types (/sys/kernel/btf/vmlinux)",
       types ? "" : "a kernel built with CONFIG_DEBUG_INFO_BTF has them"},
      {"permission", permitted,
       permitted ? "this user may load BPF programs" : "neither CAP_SYS_ADMIN nor CAP_BPF and CAP_PERFMON are held",
       permitted ? "" : "run as root, where BPF is wanted"}};
  if (!types || !permitted) return checks;
  for (MachineCheck& check : from_capture(check_bpf())) checks.push_back(std::move(check));
  return checks;
}

std::vector<MachineCheck> symbol_checks() {
  const char* servers = std::getenv("DEBUGINFOD_URLS");
  bool asked = servers != nullptr && *servers != '\0';
  bool installed = ::access("/usr/lib/debug/.build-id", R_OK | X_OK) == 0;
  return {
      {"installed debug files", installed,
       installed ? "/usr/lib/debug/.build-id is there"
                 : "/usr/lib/debug/.build-id is not there: libraries without debug "
                   "information of their own show exported functions only",
       installed ? "" : "install the -dbgsym or -dbg packages of the libraries you look at"},
      {"debuginfod", asked,
       asked ? fmt::format("asks {}", servers) : "DEBUGINFOD_URLS is not set: no server is asked for debug information",
       asked ? "" : "where the network may be used: export DEBUGINFOD_URLS=https://debuginfod.debian.net"}};
}

std::vector<MachineCheck> limit_checks() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return {{"open handles", false, "the limit cannot be read", ""}};
  auto words = [](rlim_t limit) { return limit == RLIM_INFINITY ? "unlimited" : with_thousands(limit); };
  return {{"open handles", true,
           fmt::format("a program started here may have {} open at once (soft limit; hard limit {})",
                       words(files.rlim_cur), words(files.rlim_max)),
           ""}};
}

struct Area {
  std::string_view name, use;
  std::vector<MachineCheck> (*examine)();
};
constexpr Area areas[] = {
    {"agent", "what `culprit run` puts into the program", agent_checks},
    {"BPF", "what records running processes, and the whole machine, without touching them", bpf_checks},
    {"ptrace", "what puts the agent into running processes, and follows static programs", ptrace_checks},
    {"symbols", "where function names and lines come from, besides the programs themselves", symbol_checks},
    {"limits", "what leaks run into", limit_checks},
};

}  // namespace

Ending run_doctor(const Arguments& arguments, const Streams& streams) {
  utsname machine{};
  ::uname(&machine);
  MachineReport report{
      fmt::format("{} {} {}", machine.sysname, machine.release, machine.machine), std::string(culprit_version), {}};
  for (const Area& area : areas)
    report.areas.push_back({std::string(area.name), std::string(area.use), area.examine()});
  return answer(streams,
                arguments.has("--json") ? machine_as_json(report) : machine_as_text(report, style_of(streams.output)));
}

}  // namespace culprit
