#include "capture/ladder.h"

#include <fmt/core.h>
#include <signal.h>

#include <cerrno>
#include <functional>

#include "base/syscall.h"
#include "capture/agent_attach.h"
#include "capture/bpf_recorder.h"
#include "capture/ptrace_recorder.h"

namespace culprit {
namespace {

using Start = std::function<Result<std::unique_ptr<LiveRecorder>>(const WatchRequest&, const AgentLibraries&,
                                                                  TraceTables&, EventSink&)>;

constexpr std::string_view via_names[] = {"best", "bpf", "agent", "ptrace"};

struct Rung {
  Via via;
  bool one_process_only;
  Start start;
};

// Best first.
const std::vector<Rung>& rungs() {
  static const std::vector<Rung> all{
      {Via::bpf, false,
       [](const WatchRequest& request, const AgentLibraries&, TraceTables& tables, EventSink& sink) {
         return start_bpf_recorder(request, tables, sink);
       }},
      {Via::agent, true, start_agent_recorder},
      {Via::ptrace, true,
       [](const WatchRequest& request, const AgentLibraries&, TraceTables& tables, EventSink& sink) {
         return start_ptrace_recorder(request, tables, sink);
       }},
  };
  return all;
}

// What every back end would have to say about a pid.
Result<void> check_pids(const WatchRequest& request) {
  for (uint32_t pid : request.pids) {
    if (pid == 0 || (kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH))
      return fail(ErrorKind::gone, fmt::format("there is no process {}", pid));
    auto status = read_whole_file(fmt::format("/proc/{}/stat", pid), 4096);
    size_t name_end = status ? status->rfind(')') : std::string::npos;
    if (name_end == std::string::npos || name_end + 2 >= status->size()) continue;
    if ((*status)[name_end + 2] == 'Z')
      return fail(ErrorKind::gone,
                  fmt::format("process {} has ended already (a zombie, which its parent did not reap)", pid));
    auto maps = read_whole_file(fmt::format("/proc/{}/maps", pid), 64);
    if (maps && maps->empty())
      return fail(ErrorKind::unsupported,
                  fmt::format("process {} is a kernel thread: it has no handles of its own", pid));
  }
  return {};
}

}  // namespace

std::string_view name_of(Via via) { return via_names[static_cast<size_t>(via)]; }

Result<Via> via_named(std::string_view name) {
  for (size_t i = 0; i < std::size(via_names); i++) {
    if (via_names[i] == name) return static_cast<Via>(i);
  }
  return fail(ErrorKind::usage, fmt::format("--via takes bpf, agent, ptrace or best, not '{}'", name));
}

Result<LiveRecording> start_live_recorder(const WatchRequest& request, Via via, const AgentLibraries& libraries,
                                          TraceTables& tables, EventSink& sink) {
  CULPRIT_TRY(check_pids(request));
  LiveRecording recording;
  ErrorKind last_kind = ErrorKind::unsupported;
  for (const Rung& rung : rungs()) {
    if (via != Via::best && via != rung.via) continue;
    if (rung.one_process_only && !request.is_one_process()) {
      recording.refused.push_back(fmt::format("{}: it records one process, not several", name_of(rung.via)));
      continue;
    }
    auto recorder = rung.start(request, libraries, tables, sink);
    if (recorder) {
      recording.recorder = std::move(*recorder);
      return recording;
    }
    last_kind = recorder.error().kind;
    if (last_kind == ErrorKind::gone) return tl::unexpected<Error>(std::move(recorder).error());
    recording.refused.push_back(fmt::format("{}: {}", name_of(rung.via), recorder.error().what));
  }
  std::string reasons;
  for (const std::string& reason : recording.refused) reasons += (reasons.empty() ? "" : "; ") + reason;
  return fail(last_kind, reasons.empty() ? fmt::format("{} cannot record this here", name_of(via)) : reasons);
}

}  // namespace culprit
