// A recorder by ptrace at work on one process, for tests.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include "capture/ptrace_recorder.h"
#include "collected_events.h"
#include "victim.h"

namespace culprit {

using std::chrono::milliseconds;

// A recorder at work on one process.
class PtraceRecording {
 public:
  explicit PtraceRecording(uint32_t pid) {
    WatchRequest request;
    request.pids = {pid};
    auto started = start_ptrace_recorder(request, events.tables, events);
    if (started)
      recorder = std::move(*started);
    else
      error = started.error();
  }

  // While the victim works.
  template <typename Done>
  void until(Done is_done) {
    while (!is_done()) {
      recorder->round();
      recorder->sleep(milliseconds(2));
    }
  }
  int until_done(Victim& victim) {
    std::atomic<bool> is_done = false;
    int result = 0;
    std::thread waiting([&] {
      result = victim.wait_until_done();
      is_done = true;
    });
    until([&] { return is_done.load(); });
    waiting.join();
    return result;
  }
  void until_over() {
    until([&] { return !recorder->has_targets(); });
    recorder->finish();
  }

  size_t count(HandleAction action, std::string_view call = "") const {
    return static_cast<size_t>(std::ranges::count_if(events.handles, [&](const HandleEvent& event) {
      return event.action == action && (call.empty() || events.tables.text(event.call) == call);
    }));
  }
  const HandleSnapshot* snapshot(SnapshotReason reason) const {
    for (const HandleSnapshot& snapshot : events.snapshots)
      if (snapshot.reason == reason) return &snapshot;
    return nullptr;
  }

  CollectedEvents events;
  std::unique_ptr<LiveRecorder> recorder;
  Error error;
};

}  // namespace culprit
