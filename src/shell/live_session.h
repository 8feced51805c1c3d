// A live recording at work: a back end on a thread of its own, driven into a recording, which can be asked while it
// grows.
#pragma once

#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "capture/ladder.h"
#include "model/trace.h"
#include "shell/recording_chain.h"

namespace culprit {

// Marks around what was recorded of memory, in a recording that began without.
inline constexpr std::string_view begin_of_memory = "heap on", end_of_memory = "heap off";

struct LiveRequest {
  WatchRequest watch;
  Via via = Via::best;
  AgentLibraries libraries;
  std::string what;    // for the recording's header: "pid 1234 (server)"
  std::string output;  // keep the recording there; empty: it is temporary
  RecordingBounds bounds;
};

struct SessionStatus {
  RecorderStatus recorder;
  uint64_t bytes = 0;        // of the file
  uint64_t table_bytes = 0;  // of memory, that names and stacks take
  Time started = 0, now = 0;
  Time complete_from = 0;       // of a circular recording; 0: nothing has fallen out
  bool is_full = false;         // it has its --max-size
  bool waits_for_room = false;  // on the disk
  uint64_t blocks_lost = 0;     // that could not be written
  std::string last_failure;     // of writing, one sentence; empty: none
};

// Thread-safe: all calls may come from any one other thread.
class LiveSession {
 public:
  // Returns when recording has begun. Errors as of start_live_recorder, and those of creating the recording.
  static Result<std::unique_ptr<LiveSession>> start(LiveRequest request);
  // Lets the processes go if finish() was not called. A recording that is kept stays as .partial.
  ~LiveSession();

  std::string back_end() const { return back_end_; }                    // "bpf"
  const std::vector<std::string>& refused() const { return refused_; }  // why not a better one

  void mark(const std::string& name);
  // Allocations, too, until leave_memory(); marked as begin_of_memory and end_of_memory. Where the back end cannot see
  // them, the agent records them beside it. Errors: sentences for the user; then nothing has changed.
  Result<void> record_memory();
  Result<void> leave_memory();
  bool is_recording_memory();
  // Everything up to now, checked against the handle tables as they are now.
  Result<std::unique_ptr<Trace>> so_far();
  RecorderStatus status();
  SessionStatus whole_status();
  uint64_t bytes_written();

  // Blocks until `goes_on` says no (asked a few times a second), or nothing is left to record. False: the latter.
  bool wait(const std::function<bool()>& goes_on);
  bool has_targets();

  // Lets the processes go and completes the recording. Nothing but finished() and status() may be called afterwards.
  Result<void> finish();
  // Lets the processes go and takes the recording away. Nothing may be called afterwards.
  void discard();
  // The whole recording, after finish() (also after one that failed).
  Result<std::unique_ptr<Trace>> finished();

 private:
  explicit LiveSession(LiveRequest request) : request_(std::move(request)) {}
  Result<void> begin();
  // `work` is done on the thread of the recorders.
  Result<void> on_its_thread(std::function<Result<void>()> work);
  Result<void> begin_memory();
  Result<void> have_memory_recorded();
  Result<void> end_memory();
  bool round();
  void finish_memory();
  void note_status();
  void work(std::promise<Result<void>>& begun);

  LiveRequest request_;
  std::string back_end_;
  std::vector<std::string> refused_;
  TraceTables tables_;
  TraceInfo info_;
  std::unique_ptr<RecordingChain> chain_;

  std::mutex mutex_;  // guards all above and below
  std::condition_variable round_done_;
  std::unique_ptr<LiveRecorder> recorder_;         // lives and dies on the thread
  std::unique_ptr<LiveRecorder> memory_recorder_;  // beside one that cannot see allocations; null: none
  RecorderStatus memory_status_;                   // of earlier ones
  bool is_recording_memory_ = false;
  std::function<Result<void>()> asked_;  // of on_its_thread(); empty: nothing
  Result<void> asked_result_;
  RecorderStatus last_status_;
  uint64_t rounds_ = 0;
  bool stop_ = false, has_targets_ = true, is_over_ = false;
  std::thread thread_;
};

}  // namespace culprit
