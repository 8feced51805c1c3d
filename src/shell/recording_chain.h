// What events pass through on their way from a back end into a recording: types that are not wanted go out, and a
// circular recording needs to know what is open.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "analysis/open_handles.h"
#include "base/result.h"
#include "shell/type_filter.h"
#include "trace/trace_writer.h"

namespace culprit {

struct RecordingBounds {
  uint64_t max_size = 0;           // bytes of the file; 0: none
  uint64_t circular = 0;           // bytes; 0: not circular
  uint64_t memory = 256 << 20;     // of the recorder; what that costs is counted
  std::vector<std::string> types;  // of handles; empty: all
};

class RecordingChain {
 public:
  // `output` empty: a temporary recording. `tables` must outlive it, and get their bound here.
  static Result<std::unique_ptr<RecordingChain>> create(const std::string& output, const RecordingBounds& bounds,
                                                        TraceTables& tables, const TraceInfo& info);
  RecordingChain(const RecordingChain&) = delete;
  RecordingChain& operator=(const RecordingChain&) = delete;

  EventSink& sink() { return *first_; }
  TraceWriter& writer() { return *writer_; }
  // Counts what was forgotten for want of memory since the last call.
  void hand_on_losses();

 private:
  // To those who follow what is open first: when the writer closes a block, they know all that is in it.
  class Both final : public EventSink {
   public:
    Both(OpenHandles& open, TraceWriter& writer) : open_(open), writer_(writer) {}
    void on_handle(const HandleEvent& event) override { open_.on_handle(event), writer_.on_handle(event); }
    void on_process(const ProcessEvent& event) override { open_.on_process(event), writer_.on_process(event); }
    void on_thread(const ThreadEvent& event) override { open_.on_thread(event), writer_.on_thread(event); }
    void on_snapshot(const HandleSnapshot& event) override { open_.on_snapshot(event), writer_.on_snapshot(event); }
    void on_mark(const Mark& mark) override { open_.on_mark(mark), writer_.on_mark(mark); }
    void on_loss(const Loss& loss) override { writer_.on_loss(loss); }

   private:
    OpenHandles& open_;
    TraceWriter& writer_;
  };

  explicit RecordingChain(TraceTables& tables) : tables_(tables) {}
  void count(uint64_t now, uint64_t& before, const char* what);

  TraceTables& tables_;
  std::unique_ptr<OpenHandles> open_;  // the writer asks it to the end, so it stands before it
  std::unique_ptr<TraceWriter> writer_;
  std::unique_ptr<Both> both_;
  std::unique_ptr<TypeFilter> filter_;
  EventSink* first_ = nullptr;
  uint64_t refused_names_ = 0, refused_stacks_ = 0, refused_handles_ = 0;
};

}  // namespace culprit
