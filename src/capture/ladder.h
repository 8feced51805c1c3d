// Which back end records a running process: the best that this machine and this user permit, and why not a better one.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "capture/live_recorder.h"

namespace culprit {

struct AgentLibraries {
  std::string patching;  // absolute path of libculprit_agent.so; empty: not there
  std::string wrapping;  // of libculprit_agent_wrappers.so
};

struct LiveRecording {
  std::unique_ptr<LiveRecorder> recorder;
  std::vector<std::string> refused;  // one sentence per better back end that was tried: "bpf: …"
};

// Starts to record what `request` names; events go to `sink` from the first round() on, beginning with a process event
// and a snapshot (SnapshotReason::start) of each process found running. `tables` and `sink` must outlive the recorder.
// With Via::best each rung of the ladder is tried in turn (bpf; then, for one process, agent, ptrace); an error then
// holds the reasons of all. Errors: gone (no such process), no_access (names the capability or setting), unsupported,
// usage.
Result<LiveRecording> start_live_recorder(const WatchRequest& request, Via via, const AgentLibraries& libraries,
                                          TraceTables& tables, EventSink& sink);

// "bpf", "agent", "ptrace", "best".
std::string_view name_of(Via via);
Result<Via> via_named(std::string_view name);

}  // namespace culprit
